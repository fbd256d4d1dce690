// distill.forward_kl: published numbers, numbers computed in float64 outside this project, and the slow reference.
//
// The float64 numbers come from a few lines of Python over math.exp and math.log:
//   p, q = softmax(zt, T), softmax(zs, T);  kl = Σ p·log(p/q);  H = −Σ p·log p;  gradient = T·(q − p)
#include "forward_kl.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>

#include "numbers.h"
#include "reference_losses.h"

namespace retort::golden {

namespace {

using distill::Form;
using distill::ForwardKlOptions;
using distill::Row;
using distill::RowLoss;
using distill::Tail;
using Floats = std::vector<float>;
using Ids = std::vector<std::int64_t>;

RowLoss loss_of(const ForwardKlOptions& options, const Row& row, Floats* gradient = nullptr) {
  distill::Scratch scratch;
  if (gradient != nullptr) gradient->assign(row.student.size(), std::numeric_limits<float>::quiet_NaN());
  return distill::forward_kl(options, row, gradient == nullptr ? std::span<float>() : std::span<float>(*gradient),
                             scratch);
}

Row full_row(const Floats& student, const Floats& teacher) {
  Row row;
  row.student = student;
  row.teacher = teacher;
  return row;
}

Row top_row(const Floats& student, const Ids& ids, const Floats& log_probs) {
  Row row;
  row.student = student;
  row.top_ids = ids;
  row.top_log_probs = log_probs;
  return row;
}

std::string message_of(const ForwardKlOptions& options, const Row& row) {
  try {
    loss_of(options, row);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

const Floats student_logits{0.5f, -1.0f, 2.0f, 0.25f, -0.75f};
const Floats teacher_logits{1.5f, 0.0f, 1.0f, -2.0f, 0.5f};

TEST(ForwardKlGolden, TrlPair) {
  // TRL's test of its generalised JSD: p = [.9,.1], q = [.1,.9].
  EXPECT_NEAR(loss_of({}, full_row(log_probabilities({.1, .9}), log_probabilities({.9, .1}))).loss, 1.757780, 1e-6);
}

struct Tempered {
  double temperature, kl, entropy;
  std::vector<double> gradient;
};

TEST(ForwardKlGolden, TemperatureValueEntropyAndGradient) {
  const Tempered cases[] = {
      {1, 0.564236488411, 1.299937079996, {-0.301178128, -0.067201924, 0.389717217, 0.101479743, -0.122816908}},
      {2, 0.176767825432, 1.490494948426, {-0.260314691, -0.122963953, 0.331784731, 0.237849882, -0.186355969}},
      {.5, 1.734987782950, 0.951934043864, {-0.298857576, -0.014879243, 0.341800211, 0.013602579, -0.041665972}}};
  for (const Tempered& expected : cases) {
    SCOPED_TRACE(expected.temperature);
    ForwardKlOptions options;
    options.temperature = expected.temperature;
    Floats gradient;
    const RowLoss found = loss_of(options, full_row(student_logits, teacher_logits), &gradient);
    const double squared = expected.temperature * expected.temperature;
    EXPECT_NEAR(found.loss, squared * expected.kl, 1e-6);
    EXPECT_NEAR(found.kl, expected.kl, 1e-6);
    EXPECT_NEAR(found.teacher_entropy, expected.entropy, 1e-6);
    expect_near(gradient, expected.gradient, 1e-6);

    options.scale_by_temperature_squared = false;
    EXPECT_NEAR(loss_of(options, full_row(student_logits, teacher_logits)).loss, expected.kl, 1e-6);
    options.form = Form::cross_entropy;
    EXPECT_NEAR(loss_of(options, full_row(student_logits, teacher_logits)).loss, expected.kl + expected.entropy, 1e-6);
  }
}

TEST(ForwardKlGolden, LabelsAddWeightedCrossEntropyAtTemperatureOne) {
  ForwardKlOptions options;
  options.temperature = 2;
  options.ce_weight = 0.25;
  Row row = full_row(student_logits, teacher_logits);
  row.label = 2;
  const RowLoss found = loss_of(options, row);
  EXPECT_NEAR(found.ce, 0.412519522562, 1e-6);
  EXPECT_NEAR(found.loss, 4 * 0.176767825432 + 0.25 * 0.412519522562, 2e-6);
}

TEST(ForwardKlGolden, FourConventionsOfTheTail) {
  // Teacher's top 2 of three: [.7,.2]; the student gives those ids [.5,.3].
  const Floats student = log_probabilities({.5, .3, .2}), top = log_probabilities({.7, .2});
  const Ids ids{0, 1};
  const std::pair<Tail, double> cases[] = {
      {Tail::bucket, .085123}, {Tail::renormalise, .276958}, {Tail::both_renormalise, .053814}, {Tail::drop, .154438}};
  for (const auto& [tail, expected] : cases) {
    ForwardKlOptions options;
    options.tail = tail;
    EXPECT_NEAR(loss_of(options, top_row(student, ids, top)).loss, expected, 1e-6) << static_cast<int>(tail);
  }
  EXPECT_NEAR(loss_of({}, top_row(student, ids, top)).teacher_entropy, 0.801818553, 1e-6);  // of [.7,.2,.1]
}

TEST(ForwardKlGolden, RenormalisedTopKAtTemperatureTwo) {
  // p' = softmax([log .7, log .2]/2); q = softmax([log .5, log .3, log .2]/2), or over the two kept ids only.
  ForwardKlOptions options;
  options.temperature = 2;
  options.scale_by_temperature_squared = false;
  const Floats student = log_probabilities({.5, .3, .2}), top = log_probabilities({.7, .2});
  const Ids ids{0, 1};
  options.tail = Tail::renormalise;
  EXPECT_NEAR(loss_of(options, top_row(student, ids, top)).loss, 0.320963533, 1e-6);
  options.tail = Tail::both_renormalise;
  EXPECT_NEAR(loss_of(options, top_row(student, ids, top)).loss, 0.016133856, 1e-6);
}

TEST(ForwardKlGolden, ATailFarBelowFloatsRangeKeepsItsValue) {
  // Student [200,0,0]: log q_tail = log 2 − 200, which exp cannot represent in f32. KL of (.9,.1) to it in float64.
  const Floats student{200.0f, 0.0f, 0.0f}, top = log_probabilities({.9});
  const Ids ids{0};
  Floats gradient;
  const RowLoss found = loss_of({}, top_row(student, ids, top), &gradient);
  EXPECT_NEAR(found.loss, 19.605602309, 1e-5);
  expect_near(gradient, {0.1, -0.05, -0.05}, 1e-6);
}

TEST(ForwardKlGolden, VocabulariesOfDifferentWidthAreBridged) {
  // Two more teacher columns: dropped, the teacher is renormalised, so the number is that of the common columns.
  Floats wide = teacher_logits;
  wide.insert(wide.end(), {3.0f, 2.0f});
  EXPECT_NEAR(loss_of({}, full_row(student_logits, wide)).loss, 0.564236488411, 1e-6);
  // Two fewer: the teacher gives those columns probability 0.
  Floats gradient;
  const Floats narrow(teacher_logits.begin(), teacher_logits.begin() + 3);
  EXPECT_NEAR(loss_of({}, full_row(student_logits, narrow), &gradient).loss, 0.645390996377, 1e-6);
  expect_near(gradient, {-0.398841623, -0.088993595, 0.330481313, 0.115034923, 0.042318983}, 1e-6);
  // Top k with an id that the student lacks: teacher .7 and a rest of .1 become .875 and .125.
  const Floats student = log_probabilities({.5, .3, .2}), top = log_probabilities({.7, .2});
  const Ids ids{0, 9};
  EXPECT_NEAR(loss_of({}, top_row(student, ids, top)).loss, 0.316377019, 1e-6);
}

class AgainstReference : public ::testing::TestWithParam<std::tuple<int, int, double>> {};

TEST_P(AgainstReference, FullLogits) {
  const auto [student_width, teacher_width, temperature] = GetParam();
  std::mt19937 random(7);
  std::normal_distribution<float> normal(0.0f, 3.0f);
  Floats student(static_cast<std::size_t>(student_width)), teacher(static_cast<std::size_t>(teacher_width));
  for (float& z : student) z = normal(random);
  for (float& z : teacher) z = normal(random);
  ForwardKlOptions options;
  options.temperature = temperature;
  options.ce_weight = 0.5;
  Row row = full_row(student, teacher);
  row.label = student_width / 2;
  row.weight = 0.75;
  Floats gradient;
  const RowLoss found = loss_of(options, row, &gradient);
  const std::vector<double> z(student.begin(), student.end());
  const auto reference = [&](const std::vector<double>& x) { return reference_forward_kl(options, x, row); };
  EXPECT_NEAR(found.loss, reference(z), 1e-6 * (1 + reference(z)));
  expect_near(gradient, central_differences(reference, z), 2e-6 * temperature);
}

INSTANTIATE_TEST_SUITE_P(Widths, AgainstReference,
                         ::testing::Values(std::tuple(1, 1, 1.0), std::tuple(7, 7, 2.0), std::tuple(511, 513, 0.7),
                                           std::tuple(1025, 1000, 4.0)));

TEST(ForwardKl, TopKMatchesTheReferenceInEveryConvention) {
  std::mt19937 random(11);
  std::normal_distribution<float> normal(0.0f, 2.0f);
  Floats student(67);
  for (float& z : student) z = normal(random);
  const Floats top = log_probabilities({.4, .25, .15, .05, .04});
  const Ids ids{3, 66, 0, 40, 70};  // the last is outside the student's vocabulary
  const std::vector<double> z(student.begin(), student.end());
  for (const Tail tail : {Tail::bucket, Tail::renormalise, Tail::both_renormalise, Tail::drop})
    for (const Form form : {Form::kl, Form::cross_entropy}) {
      SCOPED_TRACE(static_cast<int>(tail));
      ForwardKlOptions options;
      options.tail = tail;
      options.form = form;
      options.temperature = tail == Tail::renormalise || tail == Tail::both_renormalise ? 2.5 : 1;
      Row row = top_row(student, ids, top);
      row.weight = 2;
      Floats gradient;
      const RowLoss found = loss_of(options, row, &gradient);
      const auto reference = [&](const std::vector<double>& x) { return reference_forward_kl(options, x, row); };
      EXPECT_NEAR(found.loss, reference(z), 2e-6 * std::abs(reference(z)));
      expect_near(gradient, central_differences(reference, z), 4e-6);
    }
}

TEST(ForwardKl, EqualDistributionsGiveZeroUpToRounding) {
  Floats z(4096);
  std::mt19937 random(3);
  std::normal_distribution<float> normal(0.0f, 5.0f);
  for (float& value : z) value = normal(random);
  Floats shifted = z;
  for (float& value : shifted) value += 2.0f;  // softmax does not see a shift
  Floats gradient;
  EXPECT_LT(loss_of({}, full_row(z, shifted), &gradient).loss, 1e-6);
  for (const float g : gradient) EXPECT_NEAR(g, 0.0f, 1e-6f);
}

TEST(ForwardKl, TokensThatBothExcludeDoNotCount) {
  const float excluded = -std::numeric_limits<float>::infinity();
  Floats student = student_logits, teacher = teacher_logits;
  student.push_back(excluded);
  teacher.push_back(excluded);
  Floats gradient;
  EXPECT_NEAR(loss_of({}, full_row(student, teacher), &gradient).loss, 0.564236488411, 1e-6);
  EXPECT_EQ(gradient.back(), 0.0f);
}

TEST(ForwardKl, AMaskedRowIsZeroEverywhereEvenWhereItsLogitsAreNot) {
  const Floats broken{NAN, 1.0f};
  Row row = full_row(broken, broken);
  row.weight = 0;
  Floats gradient;
  EXPECT_EQ(loss_of({}, row, &gradient).loss, 0.0);
  EXPECT_EQ(gradient, (Floats{0.0f, 0.0f}));
}

TEST(ForwardKl, ErrorsSayWhatIsWrong) {
  EXPECT_NE(message_of({}, full_row({NAN, 1.0f}, {0.0f, 1.0f})).find("student's logits"), std::string::npos);
  EXPECT_NE(message_of({}, full_row({0.0f, 1.0f}, {NAN, 1.0f})).find("teacher's logits"), std::string::npos);
  const Floats student{0.0f, 1.0f}, top = log_probabilities({.5, .4}), not_logarithms{0.5f, 0.4f};
  EXPECT_NE(message_of({}, top_row(student, Ids{1, 1}, top)).find("token 1 twice"), std::string::npos);
  EXPECT_NE(message_of({}, top_row(student, Ids{0, 1}, not_logarithms)).find("log-probability"), std::string::npos);
  EXPECT_NE(message_of({}, top_row(student, Ids{0, 1}, log_probabilities({.9, .3}))).find("of 1 altogether at most"),
            std::string::npos);
  ForwardKlOptions with_labels;
  with_labels.ce_weight = 1;
  Row row = full_row(student, student);
  row.label = 2;
  EXPECT_NE(message_of(with_labels, row).find("[0,2), found 2"), std::string::npos);
  ForwardKlOptions tempered;
  tempered.temperature = 2;
  EXPECT_NO_THROW(distill::check(tempered, 0));
  EXPECT_THROW(distill::check(tempered, 8), std::invalid_argument);  // a bucket's mass cannot be tempered
  tempered.tail = Tail::renormalise;
  EXPECT_NO_THROW(distill::check(tempered, 8));
}

}  // namespace

}  // namespace retort::golden
