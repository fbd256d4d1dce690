// distill.reverse_kl: goldens_transfer.json (fkl_rkl_base, nemo_reverse_zero_outside, temperature_on_topk), numbers
// computed in float64 outside this project (Python, math.log and math.exp), and central differences.
#include "reverse_kl.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>

#include "numbers.h"
#include "reference_losses.h"

namespace retort::golden {

namespace {

using distill::ReverseKlLoss;
using distill::ReverseKlOptions;
using distill::ReverseKlRow;
using distill::ReverseTail;
using Floats = std::vector<float>;
using Ids = std::vector<std::int64_t>;

const Floats student = log_probabilities({.15, .3, .12, .18, .25}),
             teacher = log_probabilities({.55, .25, .12, .05, .03});
const Floats top = log_probabilities({.55, .25});
const Ids top_ids{0, 1};

ReverseKlLoss loss_of(const ReverseKlOptions& options, const ReverseKlRow& row, Floats* gradient = nullptr) {
  distill::ReverseKlScratch scratch;
  if (gradient != nullptr) gradient->assign(row.student.size(), std::numeric_limits<float>::quiet_NaN());
  return distill::reverse_kl(options, row, gradient == nullptr ? std::span<float>() : std::span<float>(*gradient),
                             scratch);
}

ReverseKlRow reverse_row(const Floats& z, const Floats& t) {
  ReverseKlRow row;
  row.student = z;
  row.teacher = t;
  return row;
}

ReverseKlRow top_row(const Floats& z, const Ids& ids, const Floats& log_probs, double tail_mass) {
  ReverseKlRow row;
  row.student = z;
  row.top_ids = ids;
  row.top_log_probs = log_probs;
  row.tail_mass = tail_mass;
  return row;
}

std::string message_of(const ReverseKlOptions& options, const ReverseKlRow& row) {
  try {
    loss_of(options, row);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

TEST(ReverseKlGolden, FullDistributions) {
  Floats gradient;
  EXPECT_NEAR(loss_of({}, reverse_row(student, teacher), &gradient).loss, .620437995652, 1e-6);
  expect_near(gradient, {-0.287958146967, -0.131434931657, -0.0744525594782, 0.118889252966, 0.374956385137}, 1e-6);
  // TRL's pair p = [.9,.1], q = [.1,.9] is symmetric: 1.757780 in both directions.
  EXPECT_NEAR(loss_of({}, reverse_row(log_probabilities({.1, .9}), log_probabilities({.9, .1}))).loss, 1.757780, 1e-6);
}

struct TemperedReverse {
  double temperature, kl, entropy;
  std::vector<double> gradient;
};

TEST(ReverseKlGolden, TemperatureValueEntropyAndGradient) {
  const Floats z{0.5F, -1.0F, 2.0F, 0.25F, -0.75F}, t{1.5F, 0.0F, 1.0F, -2.0F, 0.5F};
  const TemperedReverse cases[] = {
      {1, .575711337224, 1.050643658108, {-.249219083, -.055608294, .207038105, .179771481, -.081982209}},
      {2, .194024816876, 1.453361394807, {-.277939304, -.131289231, .257197539, .327526174, -.175495178}},
      {.5, 1.217913402981, .352117828503, {-.088438299, -.004403084, .064357730, .036683420, -.008199767}}};
  for (const TemperedReverse& expected : cases) {
    SCOPED_TRACE(expected.temperature);
    ReverseKlOptions options;
    options.temperature = expected.temperature;
    Floats gradient;
    const ReverseKlLoss found = loss_of(options, reverse_row(z, t), &gradient);
    const double squared = expected.temperature * expected.temperature;
    EXPECT_NEAR(found.loss, squared * expected.kl, 2e-6);
    EXPECT_NEAR(found.kl, expected.kl, 1e-6);
    EXPECT_NEAR(found.student_entropy, expected.entropy, 1e-6);
    expect_near(gradient, expected.gradient, 1e-6);
    options.scale_by_temperature_squared = false;
    EXPECT_NEAR(loss_of(options, reverse_row(z, t)).loss, expected.kl, 1e-6);
  }
}

TEST(ReverseKlGolden, FourConventionsOfTheTail) {
  const std::tuple<ReverseTail, double, std::vector<double>> cases[] = {
      {ReverseTail::bucket, .416184520842, {-.257320126, -.070158889, .071449967, .107174950, .148854098}},
      {ReverseTail::uniform, .439562698344, {-.260826852, -.077172342, .017786876, .099664033, .220548285}},
      {ReverseTail::both_renormalise, .263817521389, {-.329245454, .329245454, 0, 0, 0}},
      {ReverseTail::drop, -.140195980581, {-.091363051, .261755261, -.037176482, -.055764723, -.077451005}}};
  for (const auto& [tail, expected, slopes] : cases) {
    SCOPED_TRACE(static_cast<int>(tail));
    ReverseKlOptions options;
    options.tail = tail;
    Floats gradient;
    EXPECT_NEAR(loss_of(options, top_row(student, top_ids, top, .2), &gradient).loss, expected, 1e-6);
    expect_near(gradient, slopes, 1e-6);
  }
}

TEST(ReverseKlGolden, AUniformTailIsTemperedWithTheRest) {
  // temperature_on_topk: at T 2 the teacher is [.367827, .247989] and .384183 of tail, three columns alike.
  ReverseKlOptions options;
  options.temperature = 2;
  options.scale_by_temperature_squared = false;
  options.tail = ReverseTail::uniform;
  EXPECT_NEAR(loss_of(options, top_row(student, top_ids, top, .2)).loss, .110240715252, 1e-6);
}

TEST(ReverseKlGolden, ASureTeachersTailIsRaisedToTheFloor) {
  const Floats sure{0.0F};
  EXPECT_NEAR(loss_of({}, top_row(student, {0}, sure, 0)).loss, 11.320475036, 1e-5);
}

TEST(ReverseKlGolden, VocabulariesOfDifferentWidthAreComparedOverTheCommonColumns) {
  Floats gradient;
  const Floats narrow = log_probabilities({.4, .3, .2, .1});
  EXPECT_NEAR(loss_of({}, reverse_row(student, narrow), &gradient).loss, .150852921623, 1e-6);
  EXPECT_EQ(gradient[4], 0.0F);
  Floats wide = teacher;
  wide.insert(wide.end(), {3.0F, 2.0F});
  EXPECT_NEAR(loss_of({}, reverse_row(student, wide)).loss, .620437995652, 1e-6);
}

TEST(ReverseKl, GradientsMatchCentralDifferencesInEveryConvention) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0.0F, 2.0F);
  Floats z(31), t(29);
  for (float& value : z) value = normal(random);
  for (float& value : t) value = normal(random);
  const Floats log_probs = log_probabilities({.4, .25, .15, .05, .04});
  const Ids ids{3, 30, 0, 17, 40};  // the last is outside the student's vocabulary
  const auto compare = [&](const ReverseKlOptions& options, ReverseKlRow row) {
    row.weight = .75;
    Floats gradient;
    loss_of(options, row, &gradient);
    for (std::size_t j = 0; j < z.size(); ++j) {  // the row sees z in f32, so steps are wide and the quotient exact
      const float middle = z[j];
      z[j] = middle + .01F;
      const double high = static_cast<double>(z[j]), above = loss_of(options, row).loss;
      z[j] = middle - .01F;
      const double low = static_cast<double>(z[j]), below = loss_of(options, row).loss;
      z[j] = middle;
      EXPECT_NEAR(static_cast<double>(gradient[j]), (above - below) / (high - low), 2e-4) << j;
    }
  };
  for (const ReverseTail tail :
       {ReverseTail::bucket, ReverseTail::uniform, ReverseTail::both_renormalise, ReverseTail::drop}) {
    SCOPED_TRACE(static_cast<int>(tail));
    ReverseKlOptions options;
    options.tail = tail;
    options.temperature = tail == ReverseTail::uniform || tail == ReverseTail::both_renormalise ? 2.5 : 1;
    compare(options, top_row(z, ids, log_probs, .11));
  }
  compare({}, reverse_row(z, t));
}

TEST(ReverseKl, WithATailItIsNeverNegativeAndZeroForTheTeacherItself) {
  std::mt19937 random(9);
  std::normal_distribution<float> normal(0.0F, 3.0F);
  for (const ReverseTail tail : {ReverseTail::bucket, ReverseTail::uniform, ReverseTail::both_renormalise}) {
    ReverseKlOptions options;
    options.tail = tail;
    for (int trial = 0; trial < 200; ++trial) {
      Floats z(5);
      for (float& value : z) value = normal(random);
      EXPECT_GE(loss_of(options, top_row(z, top_ids, top, .2)).loss, 0);
    }
    const Floats even = log_probabilities({.55, .25, .2 / 3, .2 / 3, .2 / 3});
    EXPECT_NEAR(loss_of(options, top_row(even, top_ids, top, .2)).loss, 0, 1e-6) << static_cast<int>(tail);
  }
  EXPECT_NEAR(loss_of({}, reverse_row(teacher, teacher)).loss, 0, 1e-6);
}

TEST(ReverseKl, DroppingTheTailRewardsLeavingTheTop) {
  // Why "drop" collapses: a student that flees the teacher's top is better off than the teacher's copy.
  ReverseKlOptions options;
  options.tail = ReverseTail::drop;
  const Floats copy = log_probabilities({.55, .25, .12, .05, .03}), fled = log_probabilities({.2, .1, .3, .2, .2});
  EXPECT_NEAR(loss_of(options, top_row(copy, top_ids, top, .2)).loss, 0, 1e-6);
  EXPECT_LT(loss_of(options, top_row(fled, top_ids, top, .2)).loss, -.2);
  options.tail = ReverseTail::bucket;
  EXPECT_GT(loss_of(options, top_row(fled, top_ids, top, .2)).loss, .2);
}

TEST(ReverseKl, AMaskedRowIsZeroEverywhereEvenWhereItsLogitsAreNot) {
  const Floats broken{NAN, 1.0F};
  ReverseKlRow row = reverse_row(broken, broken);
  row.weight = 0;
  Floats gradient;
  EXPECT_EQ(loss_of({}, row, &gradient).loss, 0.0);
  EXPECT_EQ(gradient, (Floats{0.0F, 0.0F}));
}

TEST(ReverseKl, ErrorsSayWhatIsWrong) {
  const Floats fine{0.0F, 1.0F}, broken{NAN, 1.0F}, excluding{-INFINITY, 0.0F};
  EXPECT_NE(message_of({}, reverse_row(broken, fine)).find("student's logits"), std::string::npos);
  EXPECT_NE(message_of({}, reverse_row(fine, broken)).find("teacher's logits"), std::string::npos);
  EXPECT_NE(message_of({}, reverse_row(fine, excluding)).find("excludes a token"), std::string::npos);
  EXPECT_NE(message_of({}, top_row(student, {1, 1}, log_probabilities({.5, .4}), .1)).find("token 1 twice"),
            std::string::npos);
  EXPECT_NE(message_of({}, top_row(student, top_ids, Floats{.5F, .4F}, .1)).find("log-probability"), std::string::npos);
  EXPECT_NE(message_of({}, top_row(student, top_ids, log_probabilities({.9, .3}), .1)).find("of 1 altogether"),
            std::string::npos);
  ReverseKlOptions tempered;
  tempered.temperature = 2;
  EXPECT_NO_THROW(distill::check(tempered, 0));
  EXPECT_THROW(distill::check(tempered, 8), std::invalid_argument);  // one outcome's mass cannot be tempered
  tempered.tail = ReverseTail::uniform;
  EXPECT_NO_THROW(distill::check(tempered, 8));
  tempered.tail_floor = 0;
  EXPECT_THROW(distill::check(tempered, 0), std::invalid_argument);
}

}  // namespace

}  // namespace retort::golden
