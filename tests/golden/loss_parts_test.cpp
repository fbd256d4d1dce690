// What must hold for every loss, whatever its formula. Each line is one test, over all losses of the three interfaces:
//  1. A step's loss is the sum of its parts': 8 calls of one sequence, 2 of four and 1 of eight give the same value,
//     gradients and metrics, with sequences of unequal lengths. (TRL issue 4719, PR 6024: normalised by micro-batch.)
//  2. What the mask leaves out does not exist: NaN there changes nothing, and its gradients are exactly 0. (TRL PR
//  5594.)
//  3. A step of which the mask leaves nothing has a loss of 0 and gradients of exactly 0.
//  4. A distillation loss is 0 where the teacher is the student, and not where the teacher is one row ahead. (TRL PR
//     6191: log-probabilities shifted by one.)
//  5. Equal rewards, .35 seven times and more, give advantages of exactly 0. (NeMo-RL PR 4161.)
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "loss_calls.h"

namespace retort::golden {

namespace {

const float unknown = std::numeric_limits<float>::quiet_NaN();

struct Variant {
  const char* name;
  const char* library;
  Parameters parameters;
};

void PrintTo(const Variant& variant, std::ostream* out) {
  *out << variant.name;
}

std::string name_of(const ::testing::TestParamInfo<Variant>& info) {
  return info.param.name;
}

/// Rows exactly, since a row does not see the others; sums up to rounding.
void expect_same(const Outcome& found, const Outcome& expected) {
  EXPECT_NEAR(found.loss, expected.loss, 1e-12 * (1 + std::abs(expected.loss)));
  ASSERT_EQ(found.gradients.size(), expected.gradients.size());
  for (const auto& [name, values] : expected.gradients) {
    const auto& others = found.gradients.at(name);
    ASSERT_EQ(others.size(), values.size()) << name;
    const float tolerance = name.rfind("parameter", 0) == 0 ? 1e-5F : 0.0F;
    for (std::size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(others[i], values[i], tolerance) << name << " " << i;
  }
  for (const auto& [name, value] : expected.metrics)
    EXPECT_NEAR(found.metrics.at(name), value, 1e-9 * (1 + std::abs(value))) << name;
}

void expect_zero(const Outcome& outcome) {
  EXPECT_EQ(outcome.loss, 0.0);
  for (const auto& [name, values] : outcome.gradients)
    for (std::size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], 0.0F) << name << " " << i;
}

template <typename Step, typename Count>
void expect_parts_to_add_up(const Step& step, const LoadedComponent& loss, Count count) {
  const Outcome whole = step.call(loss, 0, count);
  EXPECT_TRUE(std::isfinite(whole.loss));
  EXPECT_NE(whole.loss, 0);
  for (const Count size : {Count{1}, Count{4}}) {
    Outcome sum;
    for (Count first = 0; first < count; first += size) append(sum, step.call(loss, first, size));
    SCOPED_TRACE("parts of " + std::to_string(size));
    expect_same(sum, whole);
  }
}

class DistillLoss : public ::testing::TestWithParam<Variant> {
 protected:
  const LoadedComponent loss{GetParam().library, GetParam().parameters};
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

TEST_P(DistillLoss, NothingIsLearntFromNothing) {
  DistillStep step;
  step.mask.assign(step.mask.size(), 0.0F);
  expect_zero(step.call(loss, 0, step.sequences()));
}

TEST_P(DistillLoss, TheStudentItselfTeachesNothingAndAShiftByOneDoes) {
  DistillStep step(DistillStep::student_width);
  step.teach_the_student(false);
  const auto divergence = [&] {  // less what is learnt from labels
    const Outcome outcome = step.call(loss, 0, step.sequences());
    const auto labels = outcome.metrics.find("ce");
    return outcome.loss - (labels == outcome.metrics.end() ? 0 : .5 * labels->second);
  };
  EXPECT_NEAR(divergence(), 0, 1e-5);
  step.teach_the_student(true);
  EXPECT_GT(divergence(), .5);
}

const std::int64_t three = 3;
INSTANTIATE_TEST_SUITE_P(All, DistillLoss,
                         ::testing::Values(Variant{"forward_kl", FORWARD_KL_PLUGIN, {{"temperature", 2.0}}},
                                           Variant{"forward_kl_with_labels", FORWARD_KL_PLUGIN, {{"ce_weight", .5}}},
                                           Variant{"forward_kl_top_k", FORWARD_KL_PLUGIN, {{"top_k", three}}},
                                           Variant{"reverse_kl", REVERSE_KL_PLUGIN, {{"temperature", 2.0}}},
                                           Variant{"reverse_kl_bucket", REVERSE_KL_PLUGIN, {{"top_k", three}}},
                                           Variant{"reverse_kl_both_renormalised",
                                                   REVERSE_KL_PLUGIN,
                                                   {{"top_k", three}, {"tail", std::string("both_renormalise")}}},
                                           Variant{"hidden_cosine", HIDDEN_PLUGIN, {}},
                                           Variant{"hidden_mse_alone",
                                                   HIDDEN_PLUGIN,
                                                   {{"distance", std::string("mse")}, {"kl_weight", 0.0}}},
                                           Variant{"cpp_template", CPP_TEMPLATE_PLUGIN, {}},
                                           Variant{"c_template", C_TEMPLATE_PLUGIN, {}}),
                         name_of);

class RlLoss : public ::testing::TestWithParam<Variant> {
 protected:
  const LoadedComponent algorithm{GetParam().library, GetParam().parameters};
};

TEST_P(RlLoss, PartsAddUp) {
  RlStep step;
  step.compute_advantages(algorithm);
  expect_parts_to_add_up(step, algorithm, std::int64_t{8});
}

TEST_P(RlLoss, MaskedPositionsDoNotExist) {
  RlStep step;
  const MetricMap before_metrics = step.compute_advantages(algorithm);
  const std::vector<float> advantages = step.advantages;
  const Outcome before = step.call(algorithm, 0, RlStep::rows);
  for (std::size_t i = 0; i < step.mask.size(); ++i) {
    if (step.mask[i] != 0) continue;
    EXPECT_EQ(advantages[i], 0.0F) << i;
    for (const auto& [name, values] : before.gradients) EXPECT_EQ(values[i], 0.0F) << name << " " << i;
    for (auto* values : {&step.log_probs, &step.old_log_probs, &step.sampler_log_probs, &step.reference_log_probs,
                         &step.values, &step.old_values, &step.entropies, &step.token_rewards})
      (*values)[i] = unknown;
  }
  EXPECT_EQ(step.compute_advantages(algorithm), before_metrics);
  EXPECT_EQ(step.advantages, advantages);
  expect_same(step.call(algorithm, 0, RlStep::rows), before);
}

TEST_P(RlLoss, NothingIsLearntFromNothing) {
  RlStep step;
  step.mask.assign(step.mask.size(), 0.0F);
  step.compute_advantages(algorithm);
  expect_zero(step.call(algorithm, 0, RlStep::rows));
}

TEST_P(RlLoss, GradientsMatchCentralDifferences) {
  RlStep step;
  step.compute_advantages(algorithm);
  const Outcome outcome = step.call(algorithm, 0, RlStep::rows);
  const std::pair<const char*, std::vector<float>*> inputs[] = {
      {"log_probs", &step.log_probs}, {"values", &step.values}, {"entropies", &step.entropies}};
  for (const auto& [name, input] : inputs) {
    const auto gradient = outcome.gradients.find(name);
    for (std::size_t i = 0; gradient != outcome.gradients.end() && i < input->size(); ++i) {
      const float middle = (*input)[i];
      (*input)[i] = middle + 1e-3F;
      const double high = static_cast<double>((*input)[i]), above = step.call(algorithm, 0, RlStep::rows).loss;
      (*input)[i] = middle - 1e-3F;
      const double low = static_cast<double>((*input)[i]), below = step.call(algorithm, 0, RlStep::rows).loss;
      (*input)[i] = middle;
      EXPECT_NEAR(static_cast<double>(gradient->second[i]), (above - below) / (high - low), 1e-5) << name << " " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, RlLoss,
    ::testing::Values(Variant{"grpo", GRPO_PLUGIN, {{"group_size", RlStep::group}}},
                      Variant{"grpo_sequence_mean",
                              GRPO_PLUGIN,
                              {{"group_size", RlStep::group},
                               {"kl_coefficient", .1},
                               {"sampler_ratio_cap", 3.0},
                               {"loss_aggregation", std::string("sequence_mean")}}},
                      Variant{"dr_grpo",
                              GRPO_PLUGIN,
                              {{"group_size", RlStep::group},
                               {"scale", std::string("none")},
                               {"loss_aggregation", std::string("maximum_length")}}},
                      Variant{"rloo", RLOO_PLUGIN, {{"group_size", RlStep::group}, {"kl_coefficient", .1}}},
                      Variant{"rloo_by_token",
                              RLOO_PLUGIN,
                              {{"group_size", RlStep::group},
                               {"ratio", std::string("token")},
                               {"clip", false},
                               {"loss_aggregation", std::string("token_mean")}}},
                      Variant{"ppo", PPO_PLUGIN, {}},
                      Variant{"ppo_with_all",
                              PPO_PLUGIN,
                              {{"entropy_coefficient", .01},
                               {"kl_coefficient", .05},
                               {"token_rewards", true},
                               {"sampler_ratio_cap", 3.0},
                               {"loss_aggregation", std::string("sequence_sum")}}}),
    name_of);

class PreferenceLoss : public ::testing::TestWithParam<Variant> {
 protected:
  const LoadedComponent loss{GetParam().library, GetParam().parameters};
};

TEST_P(PreferenceLoss, PartsAddUp) {
  expect_parts_to_add_up(PreferenceStep(), loss, std::int64_t{8});
}

TEST_P(PreferenceLoss, PairsWithoutWeightDoNotExist) {
  PreferenceStep step;
  const Outcome before = step.call(loss, 0, PreferenceStep::pairs);
  for (std::size_t i = 0; i < step.weights.size(); ++i) {
    if (step.weights[i] != 0) continue;
    step.chosen[i] = step.rejected[i] = step.reference_chosen[i] = unknown;
    step.chosen_lengths[i] = 0;
    for (const auto& [name, values] : before.gradients) EXPECT_EQ(values[i], 0.0F) << name;
  }
  expect_same(step.call(loss, 0, PreferenceStep::pairs), before);
  step.weights.assign(step.weights.size(), 0.0F);
  expect_zero(step.call(loss, 0, PreferenceStep::pairs));
}

INSTANTIATE_TEST_SUITE_P(
    All, PreferenceLoss,
    ::testing::Values(Variant{"dpo", DPO_PLUGIN, {}}, Variant{"cdpo", DPO_PLUGIN, {{"label_smoothing", .1}}},
                      Variant{"kto", KTO_PLUGIN, {}},
                      Variant{"ipo", DPO_PLUGIN, {{"loss", std::string("ipo")}, {"length_normalised", true}}},
                      Variant{"simpo",
                              DPO_PLUGIN,
                              {{"beta", 2.0}, {"margin", .5}, {"reference_free", true}, {"length_normalised", true}}}),
    name_of);

/// Advantages of algorithms with a baseline of the group, through the ABI: seven samples of one prompt.
TEST(EqualRewards, GiveAdvantagesOfExactlyZero) {
  for (const char* library : {GRPO_PLUGIN, RLOO_PLUGIN}) {
    const LoadedComponent algorithm(library, {{"group_size", std::int64_t{7}}});
    const Tensor<float> rewards({7}, std::vector<float>(7, .35F)), ones({7, 2}, std::vector<float>(14, 1.0F));
    const Tensor<float> advantages({7, 2}, std::vector<float>(14, unknown)), keep({7}, std::vector<float>(7, 1.0F));
    retort_rl_batch batch{};
    batch.struct_size = sizeof batch;
    batch.rewards = rewards.view();
    batch.mask = batch.log_probs = batch.old_log_probs = ones.view();
    retort_rl_advantages out{sizeof out, 0, advantages.view(), nullptr, keep.view(), nullptr};
    throw_if_error(
        algorithm.functions<retort_rl_v1>(RETORT_RL_INTERFACE).advantages(algorithm.instance(), &batch, &out));
    EXPECT_EQ(advantages.values, std::vector<float>(14, 0.0F)) << library;
  }
}

}  // namespace

}  // namespace retort::golden
