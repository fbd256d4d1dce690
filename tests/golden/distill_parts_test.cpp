// What must hold for every distillation loss, whatever its formula. Each line is one test, over every plugin:
//  1. A step's loss is the sum of its parts': 8 calls of one sequence, 2 of four and 1 of eight give the same value,
//     gradients and metrics, with sequences of unequal lengths. (TRL issue 4719, PR 6006: normalised by micro-batch.)
//  2. What the mask leaves out does not exist: NaN there changes nothing, and its gradients are exactly 0. (TRL PR
//     5594.) So padding changes nothing either: ten rows of it, of -infinity, beside every sequence. (optipfair
//     issue 34.)
//  3. A step of which the mask leaves nothing has a loss of 0 and gradients of exactly 0, and is finite. (TRL PR 5885.)
//  4. The loss is 0 where the teacher is the student, and not where the teacher is one row ahead. (RLCSD issue 6, TRL
//  PR
//     6191: log-probabilities shifted by one.) sequence-level distillation has no such zero, and says so.
//  5. The gradient of the logits is the derivative of the value, by central differences, unless the loss declares that
//  it
//     holds parts constant.
#include <gtest/gtest.h>
#include <retort/abi/distill.h>

#include <algorithm>
#include <cmath>

#include "loss_parts.h"

namespace retort::golden {

namespace {

using namespace std::string_literals;

/// Makes the student's logits outside its top k equal, row by row.
void flatten_tails(DistillStep& step, std::int64_t k) {
  for (std::int64_t n = 0; n < step.rows(); ++n) {
    const auto row = step.student.begin() + n * DistillStep::vocabulary;
    std::vector<float> sorted(row, row + DistillStep::vocabulary);
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    const float largest_outside = sorted[static_cast<std::size_t>(k)];
    for (std::int64_t v = 0; v < DistillStep::vocabulary; ++v) row[v] = std::max(row[v], largest_outside);
  }
}

class DistillLoss : public ::testing::TestWithParam<Variant> {
 protected:
  const LoadedComponent loss{GetParam().library, GetParam().parameters};
  bool is(const char* name) const { return GetParam().name == std::string(name); }
  std::uint32_t flags() const {
    retort_distill_requirements out{};
    out.struct_size = sizeof out;
    throw_if_error(
        loss.functions<retort_distill_v1>(RETORT_DISTILL_INTERFACE).requirements(loss.instance(), nullptr, &out));
    return out.flags;
  }
};

TEST_P(DistillLoss, PartsAddUp) {
  expect_parts_to_add_up(DistillStep(), loss, std::size_t{8});
}

TEST_P(DistillLoss, MaskedRowsDoNotExist) {
  DistillStep step;
  const Outcome before = step.call(loss, 0, step.sequences());
  for (std::int64_t n = 0; n < step.rows(); ++n) {
    if (step.mask[static_cast<std::size_t>(n)] != 0) continue;
    step.student[static_cast<std::size_t>(n * step.vocabulary)] = unknown;
    for (auto& states : step.student_hidden) states[static_cast<std::size_t>(n * step.student_width)] = unknown;
    for (auto& states : step.teacher_hidden) states[static_cast<std::size_t>(n * step.teacher_width)] = unknown;
    const float* const gradient = before.gradients.at("logits").data() + n * step.vocabulary;
    for (std::int64_t v = 0; v < step.vocabulary; ++v) EXPECT_EQ(gradient[v], 0.0F) << n;
  }
  expect_same(step.call(loss, 0, step.sequences()), before);
}

TEST_P(DistillLoss, PaddingDoesNotExist) {
  const DistillStep step;
  DistillStep padded;
  const std::vector<std::int64_t> rows = padded.pad_every_sequence(10);  // where each row of `step` went
  const Outcome before = step.call(loss, 0, step.sequences()), after = padded.call(loss, 0, padded.sequences());
  EXPECT_NEAR(after.loss, before.loss, 1e-12 * (1 + std::abs(before.loss)));
  for (const auto& [name, values] : before.gradients) {
    const auto& found = after.gradients.at(name);
    if (name.starts_with("parameter")) {
      for (std::size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(found[i], values[i], 1e-5F) << name;
      continue;
    }
    const std::size_t columns = values.size() / rows.size();
    std::vector<float> expected(found.size(), 0.0F);
    for (std::size_t n = 0; n < rows.size(); ++n)
      std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(n * columns), columns,
                  expected.begin() + rows[n] * static_cast<std::ptrdiff_t>(columns));
    EXPECT_EQ(found, expected) << name;
  }
}

TEST_P(DistillLoss, NothingIsLearntFromNothing) {
  DistillStep step;
  step.mask.assign(step.mask.size(), 0.0F);
  expect_zero(step.call(loss, 0, step.sequences()));
}

TEST_P(DistillLoss, TheStudentItselfTeachesNothingAndAShiftByOneDoes) {
  DistillStep step(DistillStep::student_width);
  if (std::string(GetParam().name).find("uniform") != std::string::npos)  // of a tail that is not even it knows nothing
    flatten_tails(step, std::get<std::int64_t>(GetParam().parameters.at("top_k")));
  step.teach_the_student(false);
  const auto weight = GetParam().parameters.find("ce_weight");
  const auto divergence = [&] {  // less what is learnt from labels
    const Outcome outcome = step.call(loss, 0, step.sequences());
    const auto labels = outcome.metrics.find("ce");
    return outcome.loss -
           (labels == outcome.metrics.end() || is("sequence") ? 0 : std::get<double>(weight->second) * labels->second);
  };
  const double of_itself = divergence();
  if (is("sequence")) {
    EXPECT_GT(of_itself, .5);
    GTEST_SKIP() << "the cross-entropy with the teacher's tokens, which is the teacher's own surprise for its copy";
  }
  EXPECT_NEAR(of_itself, 0, 1e-5);
  step.teach_the_student(true);
  EXPECT_GT(divergence(), is("alm") ? .01 : .5);
}

TEST_P(DistillLoss, TheGradientIsThatOfTheValue) {
  if ((flags() & RETORT_DISTILL_STOPPED_GRADIENT) != 0) GTEST_SKIP() << "holds parts of the loss constant";
  DistillStep step;
  for (float& z : step.student) z = std::round(4096 * z) / 4096;  // so that steps are exact in f32
  const Outcome outcome = step.call(loss, 0, step.sequences());
  const auto difference = [&](std::size_t i, float h) {
    const float middle = step.student[i];
    step.student[i] = middle + h;
    const double above = step.call(loss, 0, step.sequences()).loss;
    step.student[i] = middle - h;
    const double below = step.call(loss, 0, step.sequences()).loss;
    step.student[i] = middle;
    return (above - below) / (2 * static_cast<double>(h));
  };
  const bool in_single = is("cpp_template") || is("c_template") || GetParam().name == "forward_kl"s ||
                         GetParam().name == "hidden_cosine"s || GetParam().name == "reverse_kl"s ||
                         std::string(GetParam().name).starts_with("forward_kl_") ||
                         std::string(GetParam().name).starts_with("reverse_kl_");
  for (std::size_t i = 0; i < step.student.size(); ++i) {
    const double wide = difference(i, 1.0F / 256), half = difference(i, 1.0F / 512);
    if (std::abs(wide - half) > 1e-3) continue;  // a kink of sorted or absolute terms between the two
    EXPECT_NEAR(static_cast<double>(outcome.gradients.at("logits")[i]), (4 * half - wide) / 3, in_single ? 1e-3 : 2e-6)
        << i;
  }
}

const std::int64_t three = 3, four = 4;

Variant by(const char* name, const char* library, Parameters parameters) {
  return {name, library, std::move(parameters)};
}

INSTANTIATE_TEST_SUITE_P(
    All, DistillLoss,
    ::testing::Values(
        by("abkd", ABKD_PLUGIN, {}), by("abkd_forward", ABKD_PLUGIN, {{"alpha", 1.0}, {"beta", 0.0}}),
        by("abkd_reverse_uniform", ABKD_PLUGIN,
           {{"alpha", 0.0}, {"beta", 1.0}, {"top_k", three}, {"tail", "uniform"s}}),
        by("akl", AKL_PLUGIN, {}), by("akl_top_k", AKL_PLUGIN, {{"top_k", three}}),
        by("alm", ALM_PLUGIN, {{"temperature", 5.0}}),
        by("constrained", CONSTRAINED_PLUGIN, {{"top_k", three}, {"student_top", three}}),
        by("forward_kl", FORWARD_KL_PLUGIN, {{"temperature", 2.0}}),
        by("forward_kl_with_labels", FORWARD_KL_PLUGIN, {{"ce_weight", .5}}),
        by("forward_kl_top_k", FORWARD_KL_PLUGIN, {{"top_k", three}}), by("hidden_cosine", HIDDEN_PLUGIN, {}),
        by("hidden_mse_alone", HIDDEN_PLUGIN, {{"distance", "mse"s}, {"kl_weight", 0.0}}), by("jsd", JSD_PLUGIN, {}),
        by("jsd_forward_tempered", JSD_PLUGIN, {{"beta", .1}, {"temperature", 2.0}}),
        by("jsd_top_k", JSD_PLUGIN, {{"top_k", three}}), by("reverse_kl", REVERSE_KL_PLUGIN, {{"temperature", 2.0}}),
        by("reverse_kl_bucket", REVERSE_KL_PLUGIN, {{"top_k", three}}),
        by("reverse_kl_both_renormalised", REVERSE_KL_PLUGIN, {{"top_k", three}, {"tail", "both_renormalise"s}}),
        by("sequence", SEQUENCE_PLUGIN, {}), by("skew_kl", SKEW_KL_PLUGIN, {}),
        by("skew_kl_reverse", SKEW_KL_PLUGIN, {{"direction", "reverse"s}, {"temperature", 2.0}}),
        by("skew_kl_pair", SKEW_KL_PLUGIN, {{"direction", "pair"s}, {"on_policy_fraction", .5}}),
        by("taid", TAID_PLUGIN, {}),
        by("taid_uniform", TAID_PLUGIN, {{"top_k", three}, {"tail", "uniform"s}, {"temperature", 2.0}}),
        by("topk_bucket", TOPK_PLUGIN, {{"top_k", three}}),
        by("topk_uniform_reverse", TOPK_PLUGIN,
           {{"top_k", four}, {"tail", "uniform"s}, {"divergence", "reverse_kl"s}, {"temperature", 2.0}}),
        by("topk_both_renormalise_jsd", TOPK_PLUGIN,
           {{"top_k", four}, {"tail", "both_renormalise"s}, {"divergence", "jsd"s}, {"temperature", .5}}),
        by("topk_ignore", TOPK_PLUGIN, {{"top_k", three}, {"tail", "ignore"s}}), by("tvd", TVD_PLUGIN, {}),
        by("uld", ULD_PLUGIN, {{"ce_weight", 0.0}}), by("uld_with_labels", ULD_PLUGIN, {{"ce_weight", 1.0}}),
        by("cpp_template", CPP_TEMPLATE_PLUGIN, {}), by("c_template", C_TEMPLATE_PLUGIN, {})),
    name_of);

}  // namespace

}  // namespace retort::golden
