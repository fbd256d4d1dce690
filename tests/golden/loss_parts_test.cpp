// What must hold for every loss, whatever its formula. Each line is one test, over all losses of rl and preference; for
// those of distillation see distill_parts_test.cpp.
//  1. A step's loss is the sum of its parts': 8 calls of one sequence, 2 of four and 1 of eight give the same value,
//     gradients and metrics, with sequences of unequal lengths. (TRL issue 4719, PR 6024: normalised by micro-batch.)
//  2. What the mask leaves out does not exist: NaN there changes nothing, and its gradients are exactly 0. (TRL PR
//  5594.)
//  3. A step of which the mask leaves nothing has a loss of 0 and gradients of exactly 0.
//  4. Equal rewards, .35 seven times and more, give advantages of exactly 0. (NeMo-RL PR 4161.)
#include "loss_parts.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace retort::golden {

namespace {

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
