// What must hold for every policy-gradient algorithm, whatever its formula. Each line is one test, over all of them:
//  1. An update's loss is the sum of its parts': 8 calls of one row, 2 of four and 1 of eight give the same value,
//     gradients and metrics, with rows of unequal lengths. (TRL issue 4719, PR 6024: normalised by micro-batch.)
//  2. What the mask leaves out does not exist, a row without tokens among it: NaN there changes nothing, and its
//     gradients are exactly 0. (TRL PR 5594.) Neither does padding.
//  3. An update of which the mask leaves nothing has a loss of 0 and gradients of exactly 0.
//  4. Gradients are those of central differences, at a constant ratio where the algorithm says so.
//  5. Equal rewards, .35 seven times and more, give advantages of exactly 0. (NeMo-RL PR 4161.)
//  6. A reference that was asked for and is not there is refused by name.
//  7. The name of a bound says whether it is a distance or absolute. (TRL's gmpo and CISPO use one name for both.)
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "loss_parts.h"

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

TEST_P(RlLoss, PaddingChangesNothing) {
  RlStep step, padded;
  padded.pad(3);
  step.compute_advantages(algorithm);
  padded.compute_advantages(algorithm);
  const Outcome before = step.call(algorithm, 0, RlStep::rows), after = padded.call(algorithm, 0, RlStep::rows);
  EXPECT_NEAR(after.loss, before.loss, 1e-12);
  for (const auto& [name, values] : before.gradients)
    for (std::int64_t r = 0; r < RlStep::rows; ++r)
      for (std::int64_t t = 0; t < padded.positions; ++t) {
        const float found = after.gradients.at(name)[static_cast<std::size_t>(r * padded.positions + t)];
        EXPECT_EQ(found, t < step.positions ? values[static_cast<std::size_t>(r * step.positions + t)] : 0.0F) << name;
      }
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
  const bool constant_ratio = (step.requirements(algorithm).flags & RETORT_RL_CONSTANT_RATIO) != 0;
  // At a constant ratio the loss is linear; a small step would measure the rounding of old_log_probs.
  const float h = constant_ratio ? 2e-2F : 1e-3F;
  const std::pair<const char*, std::vector<float>*> inputs[] = {
      {"log_probs", &step.log_probs}, {"values", &step.values}, {"entropies", &step.entropies}};
  for (const auto& [name, input] : inputs) {
    const auto gradient = outcome.gradients.find(name);
    for (std::size_t i = 0; gradient != outcome.gradients.end() && i < input->size(); ++i) {
      const float middle = (*input)[i], old = step.old_log_probs[i];
      const auto loss_at = [&](float to) {
        (*input)[i] = to;
        if (constant_ratio && input == &step.log_probs) step.old_log_probs[i] = old + (to - middle);
        return step.call(algorithm, 0, RlStep::rows).loss;
      };
      const double above = loss_at(middle + h), high = static_cast<double>((*input)[i]);
      const double below = loss_at(middle - h), low = static_cast<double>((*input)[i]);
      (*input)[i] = middle;
      step.old_log_probs[i] = old;
      EXPECT_NEAR(static_cast<double>(gradient->second[i]), (above - below) / (high - low), 1e-5) << name << " " << i;
    }
  }
}

TEST_P(RlLoss, AMissingReferenceIsRefusedByName) {
  RlStep step;
  step.without_reference = true;
  const auto whole = [&] {
    step.compute_advantages(algorithm);
    return step.call(algorithm, 0, RlStep::rows).loss;
  };
  if ((RlStep::requirements(algorithm).signals & RETORT_SIGNAL_REFERENCE_LOG_PROBS) == 0) {
    EXPECT_TRUE(std::isfinite(whole()));  // it never looks
    return;
  }
  try {
    whole();
    FAIL() << "an algorithm that asked for a reference did without";
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("reference_log_probs"), std::string::npos) << error.what();
  }
}

TEST_P(RlLoss, NamesOfBoundsSayWhetherTheyAreDistances) {
  const retort_string schema = algorithm.description().parameters_schema;
  const nlohmann::json options = nlohmann::json::parse(schema.data, schema.data + schema.size).at("properties");
  EXPECT_GT(options.size(), 0u);
  for (const auto& [name, option] : options.items()) {
    const auto has = [&](const char* word) { return name.find(word) != std::string::npos; };
    if (option.at("type") != "number" ||
        !(has("clip") || has("ratio") || has("distance") || has("bound") || has("cap") || has("floor") ||
          name.ends_with("_low") || name.ends_with("_high")))
      continue;
    const std::string doc = option.at("description");
    const bool distance = has("distance"), absolute = name.ends_with("_cap") || name.ends_with("_floor");
    EXPECT_NE(distance, absolute) << name << " says neither, or both";
    EXPECT_NE(doc.find(distance ? "distance" : "absolute bound"), std::string::npos) << name << ": " << doc;
  }
}

using namespace std::string_literals;

Parameters with_group(Parameters more = {}) {
  more["group_size"] = RlStep::group;
  return more;
}

INSTANTIATE_TEST_SUITE_P(
    All, RlLoss,
    ::testing::Values(
        Variant{"grpo", GRPO_PLUGIN, with_group()},
        Variant{"grpo_sequence_mean", GRPO_PLUGIN,
                with_group({{"kl_coefficient", .1},
                            {"sampler_correction", "truncate"s},
                            {"loss_aggregation", "sequence_mean"s}})},
        Variant{"grpo_icepop", GRPO_PLUGIN,
                with_group({{"sampler_correction", "icepop"s},
                            {"sampler_ratio_floor", .6},
                            {"sampler_ratio_cap", 1.6},
                            {"dual_clip_cap", 1.25}})},
        Variant{"grpo_sequence_mask", GRPO_PLUGIN,
                with_group({{"sampler_correction", "mask"s},
                            {"sampler_level", "sequence_mean"s},
                            {"sampler_ratio_floor", .7},
                            {"sampler_ratio_cap", 1.4},
                            {"kl_coefficient", .1},
                            {"kl_estimator", "k3_unbiased"s}})},
        Variant{
            "grpo_gdpo", GRPO_PLUGIN,
            with_group({{"reward_normalisation", "each_by_tokens"s}, {"kl_coefficient", .1}, {"kl_estimator", "k2"s}})},
        Variant{"dr_grpo", DR_GRPO_PLUGIN, with_group()}, Variant{"dapo", DAPO_PLUGIN, with_group()},
        Variant{"gspo", GSPO_PLUGIN, with_group({{"clip_distance_below", .1}, {"clip_distance_above", .1}})},
        Variant{"gspo_token", GSPO_PLUGIN, with_group({{"form", "token"s}, {"loss_aggregation", "token_mean"s}})},
        Variant{"cispo", CISPO_PLUGIN, with_group()},
        Variant{"cispo_two_sided", CISPO_PLUGIN,
                with_group({{"ratio_floor", .9}, {"ratio_cap", 1.1}, {"kl_coefficient", .1}})},
        Variant{"sapo", SAPO_PLUGIN, with_group()}, Variant{"rloo", RLOO_PLUGIN, with_group({{"kl_coefficient", .1}})},
        Variant{"rloo_sampler", RLOO_PLUGIN,
                with_group({{"sampler_correction", "truncate"s}, {"sampler_level", "sequence_product"s}})},
        Variant{"rloo_by_token", RLOO_PLUGIN,
                with_group({{"ratio", "token"s}, {"clip", false}, {"loss_aggregation", "token_mean"s}})},
        Variant{"reinforce_pp", REINFORCE_PP_PLUGIN, {{"kl_coefficient", .1}, {"gamma", .9}}},
        Variant{"reinforce_pp_baseline", REINFORCE_PP_PLUGIN, with_group({{"baseline", "group_mean"s}})},
        Variant{"opd", OPD_PLUGIN, {}},
        Variant{"opd_with_the_task", OPD_PLUGIN, with_group({{"task_weight", .5}, {"loss", "clipped_ratio"s}})},
        Variant{"ppo", PPO_PLUGIN, {}},
        Variant{"ppo_with_all",
                PPO_PLUGIN,
                {{"entropy_coefficient", .01},
                 {"kl_coefficient", .05},
                 {"token_rewards", true},
                 {"sampler_correction", "truncate"s},
                 {"off_policy_distance", .05},
                 {"loss_aggregation", "sequence_sum"s}}}),
    name_of);

/// Through the ABI: seven samples of one prompt, two tokens each. (PPO's advantages are less a critic's values.)
class EqualRewards : public ::testing::TestWithParam<Variant> {};

TEST_P(EqualRewards, GiveAdvantagesOfExactlyZero) {
  Parameters parameters = GetParam().parameters;
  parameters["group_size"] = std::int64_t{7};
  const LoadedComponent algorithm(GetParam().library, parameters);
  const Tensor<float> rewards({7}, std::vector<float>(7, .35F)), ones({7, 2}, std::vector<float>(14, 1.0F));
  const Tensor<float> parts({7, 2}, std::vector<float>(14, .35F)), zeros({7, 2}, std::vector<float>(14, 0.0F));
  const Tensor<float> advantages({7, 2}, std::vector<float>(14, unknown)), keep({7}, std::vector<float>(7, 1.0F));
  retort_rl_batch batch{};
  batch.struct_size = sizeof batch;
  batch.rewards = rewards.view();
  batch.reward_parts = parts.view();
  batch.token_rewards = zeros.view();
  batch.maximum_tokens = 2;
  batch.mask = batch.log_probs = batch.old_log_probs = ones.view();
  retort_rl_advantages out{sizeof out, 0, advantages.view(), nullptr, keep.view(), nullptr};
  throw_if_error(algorithm.functions<retort_rl_v1>(RETORT_RL_INTERFACE).advantages(algorithm.instance(), &batch, &out));
  EXPECT_EQ(advantages.values, std::vector<float>(14, 0.0F));
}

INSTANTIATE_TEST_SUITE_P(
    All, EqualRewards,
    ::testing::Values(Variant{"grpo", GRPO_PLUGIN, {}},
                      Variant{"gdpo_samples", GRPO_PLUGIN, {{"reward_normalisation", "each_by_samples"s}}},
                      Variant{"gdpo_tokens", GRPO_PLUGIN, {{"reward_normalisation", "each_by_tokens"s}}},
                      Variant{"dr_grpo", DR_GRPO_PLUGIN, {}}, Variant{"dapo", DAPO_PLUGIN, {}},
                      Variant{"gspo", GSPO_PLUGIN, {}}, Variant{"cispo", CISPO_PLUGIN, {}},
                      Variant{"sapo", SAPO_PLUGIN, {}}, Variant{"rloo", RLOO_PLUGIN, {}},
                      Variant{"reinforce_pp", REINFORCE_PP_PLUGIN, {}},
                      Variant{"reinforce_pp_baseline", REINFORCE_PP_PLUGIN, {{"baseline", "group_mean"s}}},
                      Variant{"opd", OPD_PLUGIN, {{"task_weight", 1.0}}}),
    name_of);

}  // namespace

}  // namespace retort::golden
