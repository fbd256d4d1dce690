// The policy-gradient algorithms' built libraries through the C ABI: steps by hand, keep, metrics, errors.
#include <gtest/gtest.h>
#include <retort/abi/rl.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "loaded_plugin.h"
#include "numbers.h"

namespace retort::golden {

namespace {

const float unwritten = std::numeric_limits<float>::quiet_NaN();

template <typename Action>
std::string refusal(Action action) {
  try {
    action();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

TEST(GrpoPlugin, AdvantagesAndLossOfAStep) {
  const LoadedComponent component(GRPO_PLUGIN, {{"group_size", std::int64_t{4}}});
  const auto& functions = component.functions<retort_rl_v1>(RETORT_RL_INTERFACE);
  // Two prompts; the second one's rewards are equal. Rows have one or two tokens.
  const Tensor<float> rewards({8}, {1, 0, 0, 1, .5f, .5f, .5f, .5f});
  std::vector<float> ones(16, 1.0f);
  ones[3] = 0;  // sample 1 has one token
  const Tensor<float> mask({8, 2}, ones), log_probs({8, 2}, std::vector<float>(16, -1.0f));
  Tensor<float> advantages({8, 2}, std::vector<float>(16, unwritten)), keep({8}, std::vector<float>(8, 1));
  retort_rl_batch batch{};
  batch.struct_size = sizeof batch;
  batch.rewards = rewards.view();
  batch.mask = mask.view();
  MetricMap metrics;
  const retort_metric_sink sink = sink_into(metrics);
  retort_rl_advantages out{sizeof out, 0, advantages.view(), nullptr, keep.view(), &sink};
  throw_if_error(functions.advantages(component.instance(), &batch, &out));
  EXPECT_NEAR(advantages.values[0], .865875f, 1e-6f);
  EXPECT_NEAR(advantages.values[2], -.865875f, 1e-6f);
  EXPECT_EQ(advantages.values[3], 0.0f);  // masked
  EXPECT_EQ(keep.values, (std::vector<float>{1, 1, 1, 1, 0, 0, 0, 0}));
  EXPECT_NEAR(metrics.at("mean_reward"), .5, 1e-12);
  EXPECT_EQ(metrics.at("dropped_groups"), 1);

  batch.log_probs = batch.old_log_probs = log_probs.view();
  batch.advantages = advantages.view();
  batch.update_rows = 8;
  batch.update_tokens = 15;
  batch.maximum_tokens = 2;
  Tensor<float> gradient({8, 2}, std::vector<float>(16, unwritten));
  retort_rl_result result{sizeof result, 0, 0, gradient.view(), nullptr, nullptr, &sink};
  throw_if_error(functions.loss(component.instance(), &batch, &result));
  EXPECT_NEAR(result.loss, -.865875 * (2 - 1 - 2 + 2) / 15, 1e-6);  // ρ = 1: −ΣA over unmasked tokens / 15
  EXPECT_NEAR(gradient.values[0], -.865875f / 15, 1e-6f);
  EXPECT_EQ(gradient.values[3], 0.0f);
  EXPECT_EQ(metrics.at("clip_fraction"), 0);

  const Tensor<float> six({6}, std::vector<float>(6, 0.0f)), six_rows({6, 2}, std::vector<float>(12, 1.0f));
  batch.rewards = six.view();
  const auto refused = [&] {
    return refusal([&] { throw_if_error(functions.advantages(component.instance(), &batch, &out)); });
  };
  EXPECT_NE(refused().find("rewards: expected [8,1], found [6,1]"), std::string::npos);
  batch.mask = six_rows.view();
  out.advantages = six_rows.view();
  out.keep = nullptr;
  EXPECT_NE(refused().find("multiple of the group size 4, found 6 rows"), std::string::npos);
}

/// One row of tokens a response, and what an algorithm says of it.
struct RlCase {
  explicit RlCase(std::vector<float> scores, std::int64_t positions, std::vector<float> mask_values)
      : rows(static_cast<std::int64_t>(scores.size())),
        rewards({rows}, std::move(scores)),
        mask({rows, positions}, std::move(mask_values)),
        log_probs({rows, positions}, std::vector<float>(mask.values.size(), -1.0F)),
        reference({rows, positions}, std::vector<float>(mask.values.size(), -1.1F)),
        advantages({rows, positions}, std::vector<float>(mask.values.size(), unwritten)),
        returns({rows, positions}, std::vector<float>(mask.values.size(), unwritten)),
        gradient({rows, positions}, std::vector<float>(mask.values.size(), unwritten)),
        keep({rows}, std::vector<float>(rewards.values.size(), 1)) {
    batch.struct_size = sizeof batch;
    batch.rewards = rewards.view();
    batch.mask = mask.view();
    batch.log_probs = batch.old_log_probs = log_probs.view();
    batch.reference_log_probs = reference.view();
    batch.update_rows = rows;
    for (const float m : mask.values) batch.update_tokens += m > 0 ? 1 : 0;
    batch.maximum_tokens = positions;
  }
  MetricMap ask_advantages(const LoadedComponent& algorithm, bool values) {
    MetricMap metrics;
    const retort_metric_sink sink = sink_into(metrics);
    retort_rl_advantages out{sizeof out, 0, advantages.view(), values ? returns.view() : nullptr, keep.view(), &sink};
    throw_if_error(
        algorithm.functions<retort_rl_v1>(RETORT_RL_INTERFACE).advantages(algorithm.instance(), &batch, &out));
    batch.advantages = advantages.view();
    batch.returns = values ? returns.view() : nullptr;
    return metrics;
  }
  std::int64_t rows;
  const Tensor<float> rewards, mask, log_probs, reference;
  Tensor<float> advantages, returns, gradient, keep;
  retort_rl_batch batch{};
};

TEST(RlooPlugin, AdvantagesAndGradientOfAStep) {
  const LoadedComponent component(RLOO_PLUGIN, {{"group_size", std::int64_t{4}}});
  RlCase one({1, 0, 0, 1}, 2, {1, 1, 1, 0, 1, 1, 1, 1});
  const MetricMap metrics = one.ask_advantages(component, false);
  const float a = 2 / 3.0F;
  expect_near(one.advantages.values, {a, a, -a, 0, -a, -a, a, a}, 1e-6F);
  EXPECT_EQ(one.keep.values, std::vector<float>(4, 1.0F));
  EXPECT_EQ(metrics.at("mean_reward"), .5);
  retort_rl_result result{sizeof result, 0, 0, one.gradient.view(), nullptr, nullptr, nullptr};
  throw_if_error(
      component.functions<retort_rl_v1>(RETORT_RL_INTERFACE).loss(component.instance(), &one.batch, &result));
  EXPECT_NEAR(result.loss, 0, 1e-7);  // −ΣA/4 at ρ = 1
  const float g = a / 4;              // REINFORCE: −A/rows at every token of the response
  expect_near(one.gradient.values, {-g, -g, g, 0, g, g, -g, -g}, 1e-6F);
}

TEST(RlooPlugin, TheDivergenceIsTakenOffTheReward) {
  // log π − log π_ref is .1 a token: 2 tokens against 1 with β .5 make rewards of .9 and .95.
  const LoadedComponent component(RLOO_PLUGIN, {{"group_size", std::int64_t{2}}, {"kl_coefficient", .5}});
  RlCase one({1, 1}, 2, {1, 1, 1, 0});
  const MetricMap metrics = one.ask_advantages(component, false);
  expect_near(one.advantages.values, {-.05F, -.05F, .05F, 0}, 1e-6F);
  EXPECT_NEAR(metrics.at("kl"), .15, 1e-6);  // of a response
  EXPECT_NE(refusal([] {
              LoadedComponent(RLOO_PLUGIN,
                              {{"ratio", std::string("sequence")}, {"loss_aggregation", std::string("token_mean")}});
            }).find("sequence_sum"),
            std::string::npos);
}

TEST(PpoPlugin, AdvantagesReturnsAndLossOfAStep) {
  // The published case of generalised advantages, with a tool's result in the middle and a divergence of .1 a token.
  const Tensor<float> values({1, 4}, {.5F, 9, .4F, .3F}), now({1, 4}, {.6F, 9, .4F, 1.3F});
  RlCase one({1}, 4, {1, 0, 1, 1});
  one.batch.old_values = values.view();
  one.batch.values = now.view();
  const Parameters plain{{"whiten_advantages", false}};
  const LoadedComponent component(PPO_PLUGIN, plain);
  one.ask_advantages(component, true);
  expect_near(one.advantages.values, {.43675F, 0, .565F, .7F}, 1e-6F);
  expect_near(one.returns.values, {.93675F, 0, .965F, 1}, 1e-6F);
  Tensor<float> by_values({1, 4}, std::vector<float>(4, unwritten));
  MetricMap metrics;
  const retort_metric_sink sink = sink_into(metrics);
  retort_rl_result result{sizeof result, 0, 0, one.gradient.view(), by_values.view(), nullptr, &sink};
  throw_if_error(
      component.functions<retort_rl_v1>(RETORT_RL_INTERFACE).loss(component.instance(), &one.batch, &result));
  // −ΣA/3 + .1·½·Σ(V − return)²/3; the last value moved by 1: |1.3 − 1| against |.5 − 1|, the clipped one is worse.
  const double squares = .33675 * .33675 + .565 * .565 + .5 * .5;
  EXPECT_NEAR(result.loss, -1.70175 / 3 + .05 * squares / 3, 1e-6);
  EXPECT_NEAR(metrics.at("value_loss"), .5 * squares / 3, 1e-6);
  expect_near(one.gradient.values, {-.43675F / 3, 0, -.565F / 3, -.7F / 3}, 1e-6F);
  expect_near(by_values.values, {-.033675F / 3, 0, -.0565F / 3, 0}, 1e-6F);

  const LoadedComponent held(PPO_PLUGIN, {{"whiten_advantages", false}, {"kl_coefficient", .5}, {"lambda", 1.0}});
  EXPECT_NEAR(one.ask_advantages(held, true).at("kl"), .1, 1e-6);
  expect_near(one.returns.values, {.85F, 0, .9F, .95F}, 1e-6F);  // .05 less a token that is still to come
  EXPECT_NE(refusal([&] {
              one.batch.old_values = nullptr;
              one.ask_advantages(held, true);
            }).find("old_values: expected [1,4], found no tensor"),
            std::string::npos);
}

/// A mask with rows of these lengths.
std::vector<float> mask_of(const std::vector<std::int64_t>& lengths, std::int64_t positions) {
  std::vector<float> mask;
  for (const std::int64_t length : lengths)
    for (std::int64_t t = 0; t < positions; ++t) mask.push_back(t < length ? 1.0F : 0.0F);
  return mask;
}

TEST(OpdPlugin, EveryTokenEarnsWhatTheTeacherThinksOfItMore) {
  // "opd": log p_T − log q_S of three tokens; with the task's advantage of ±.2 beside it (slime)
  const LoadedComponent component(OPD_PLUGIN, {});
  RlCase one({0}, 3, {1, 1, 1});
  const Tensor<float> said({1, 3}, {.2F, -1.6F, .6F}), log_probs({1, 3}, {-.7F, -.4F, -.9F});
  one.batch.token_rewards = said.view();
  one.batch.log_probs = one.batch.old_log_probs = log_probs.view();
  one.ask_advantages(component, false);
  expect_near(one.advantages.values, {.2F, -1.6F, .6F}, 1e-6F);
  retort_rl_result result{sizeof result, 0, 0, one.gradient.view(), nullptr, nullptr, nullptr};
  throw_if_error(
      component.functions<retort_rl_v1>(RETORT_RL_INTERFACE).loss(component.instance(), &one.batch, &result));
  EXPECT_NEAR(result.loss, .0133333333333, 1e-7);
  expect_near(one.gradient.values, {-.0666666667F, .533333333F, -.2F}, 1e-6F);

  const LoadedComponent half(OPD_PLUGIN, {{"coefficient", .5}});  // by hand
  one.ask_advantages(half, false);
  expect_near(one.advantages.values, {.1F, -.8F, .3F}, 1e-6F);
  throw_if_error(half.functions<retort_rl_v1>(RETORT_RL_INTERFACE).loss(half.instance(), &one.batch, &result));
  EXPECT_NEAR(result.loss, .02 / 3, 1e-7);
  expect_near(one.gradient.values, {-.1F / 3, .8F / 3, -.1F}, 1e-6F);

  const LoadedComponent both(OPD_PLUGIN,
                             {{"group_size", std::int64_t{2}}, {"task_weight", .4}, {"scale", std::string("none")}});
  RlCase two({1, 0}, 3, std::vector<float>(6, 1));
  const Tensor<float> twice({2, 3}, {.2F, -1.6F, .6F, .2F, -1.6F, .6F});
  two.batch.token_rewards = twice.view();
  two.ask_advantages(both, false);
  expect_near(two.advantages.values, {.4F, -1.4F, .8F, 0, -1.8F, .4F}, 1e-6F);
  EXPECT_NE(refusal([] { LoadedComponent(OPD_PLUGIN, {{"task_weight", 1.0}}); }).find("group_size"), std::string::npos);
}

TEST(GrpoPlugin, SeveralRewardsNormalisedEachByItselfOrTogether) {
  // "gdpo": two rewards of four samples, weights 1 and .5; rows of 1 to 4 tokens
  const Tensor<float> parts({4, 2}, {1, .2F, 0, .4F, 0, .9F, 1, .5F});
  const auto advantages = [&](const std::string& normalisation, bool weights, float second, double epsilon = 1e-4) {
    Parameters parameters{
        {"group_size", std::int64_t{4}}, {"reward_normalisation", normalisation}, {"epsilon", epsilon}};
    if (weights) {
      parameters["part_weights/0"] = 1.0;
      parameters["part_weights/1"] = .5;
    }
    const LoadedComponent component(GRPO_PLUGIN, parameters);
    RlCase one({1 + second * .2F, second * .4F, second * .9F, 1 + second * .5F}, 4, mask_of({1, 2, 3, 4}, 4));
    one.batch.reward_parts = parts.view();
    one.ask_advantages(component, false);
    std::vector<float> rows;
    for (std::size_t r = 0; r < 4; ++r) rows.push_back(one.advantages.values[r * 4]);
    return rows;
  };
  expect_near(advantages("each_by_samples", true, 0), {.438319523F, -1.273266240F, -.229582844F, 1.064529561F}, 1e-6F);
  expect_near(advantages("each_by_tokens", true, 0, 1e-6), {.311514362F, -1.513904561F, -.400580303F, .979508917F},
              1e-6F);
  expect_near(advantages("after_adding", false, .5F), {.692966052F, -1.088946654F, -.593970902F, .989951503F}, 1e-6F);
  EXPECT_NE(refusal([&] { advantages("after_adding", true, 0); }).find("part_weights"), std::string::npos);
}

TEST(DapoPlugin, LongResponsesLoseAndEqualGroupsAreReplaced) {
  // Rows of 4, 4, 5 and 5 of at most 5 tokens, the last one punished: rewards 1, 0, −1, 0. Python, equation 3.
  const LoadedComponent component(DAPO_PLUGIN, {{"group_size", std::int64_t{4}}});
  RlCase one({1, 0, 0, 1, 1, 1, 1, 1}, 5, mask_of({4, 4, 5, 5, 1, 2, 4, 5}, 5));
  one.ask_advantages(component, false);
  const float a = 1.22459489F;
  for (std::size_t r = 0; r < 8; ++r) {
    const float expected[] = {a, 0, -a, 0, 0, 0, 0, 0};
    EXPECT_NEAR(one.advantages.values[r * 5], expected[r], 1e-6F) << r;
    EXPECT_EQ(one.keep.values[r], r < 4 ? 1.0F : 0.0F) << r;
  }
  retort_rl_requirements wanted{};
  wanted.struct_size = sizeof wanted;
  throw_if_error(component.functions<retort_rl_v1>(RETORT_RL_INTERFACE).requirements(component.instance(), &wanted));
  EXPECT_EQ(wanted.refill_rounds, 3);
}

TEST(ReinforcePpPlugin, RewardToGoIsWhitenedOverTheStep) {
  // Two rows of 3 and 2 tokens, rewards 1 and 0, .1 of divergence a token with β .5, γ .9. Python.
  const LoadedComponent component(REINFORCE_PP_PLUGIN, {{"kl_coefficient", .5}, {"gamma", .9}});
  RlCase one({1, 0}, 3, mask_of({3, 2}, 3));
  EXPECT_NEAR(one.ask_advantages(component, false).at("kl"), .1, 1e-6);
  expect_near(one.advantages.values, {.441148803F, .705716445F, .999680491F, -1.118887981F, -1.027657759F, 0}, 1e-5F);
  // With the group's mean as baseline: rewards 1, 0, 0 and .5, rows of 1, 2, 1 and 1 tokens.
  const LoadedComponent less(REINFORCE_PP_PLUGIN,
                             {{"group_size", std::int64_t{4}}, {"baseline", std::string("group_mean")}});
  RlCase four({1, 0, 0, .5F}, 2, mask_of({1, 2, 1, 1}, 2));
  four.ask_advantages(less, false);
  const float l = -.670820376F;
  expect_near(four.advantages.values, {1.565247545F, 0, l, l, l, 0, .447213584F, 0}, 1e-6F);
  EXPECT_NE(refusal([] {
              LoadedComponent(REINFORCE_PP_PLUGIN, {{"baseline", std::string("group_mean")}});
            }).find("group_size"),
            std::string::npos);
}

/// TRL PR 7068, issue 6365: with the filter nothing of such a group is learnt; without it the KL alone, as its text
/// says.
TEST(GrpoPlugin, AGroupWithoutSpreadLearnsTheDivergenceAloneOrNothing) {
  for (const bool drop : {true, false}) {
    const LoadedComponent component(
        GRPO_PLUGIN, {{"group_size", std::int64_t{2}}, {"kl_coefficient", .5}, {"drop_equal_groups", drop}});
    RlCase one({1, 1}, 2, std::vector<float>(4, 1));
    EXPECT_EQ(one.ask_advantages(component, false).at("equal_groups"), 1);
    EXPECT_EQ(one.keep.values, std::vector<float>(2, drop ? 0.0F : 1.0F));
    retort_rl_result result{sizeof result, 0, 0, one.gradient.view(), nullptr, nullptr, nullptr};
    const auto& functions = component.functions<retort_rl_v1>(RETORT_RL_INTERFACE);
    throw_if_error(functions.loss(component.instance(), &one.batch, &result));
    const double d = .1;  // log π − log π_ref
    EXPECT_NEAR(result.loss, .5 * (std::exp(-d) + d - 1), 1e-7);
    EXPECT_NEAR(one.gradient.values[0], .5 * (1 - std::exp(-d)) / 4, 1e-7);
    one.batch.reference_log_probs = nullptr;
    EXPECT_NE(refusal([&] {
                throw_if_error(functions.loss(component.instance(), &one.batch, &result));
              }).find("reference_log_probs: expected [2,2], found no tensor"),
              std::string::npos);
  }
}

TEST(GrpoPlugin, ResponsesThatDriftedAwayTeachNothing) {
  // "off_policy_sequence_mask": advantage and mean log π_old − log π against δ .2; kept: no, yes, and yes with δ .25.
  const LoadedComponent component(GRPO_PLUGIN, {{"group_size", std::int64_t{2}}, {"off_policy_distance", .2}});
  RlCase one({1, 0}, 2, std::vector<float>(4, 1));
  const Tensor<float> now({2, 2}, {-1.3F, -1.3F, -1.4F, -1.2F});  // both .3 on the mean below the old −1
  one.batch.log_probs = now.view();
  one.ask_advantages(component, false);
  MetricMap metrics;
  const retort_metric_sink sink = sink_into(metrics);
  retort_rl_result result{sizeof result, 0, 0, one.gradient.view(), nullptr, nullptr, &sink};
  throw_if_error(
      component.functions<retort_rl_v1>(RETORT_RL_INTERFACE).loss(component.instance(), &one.batch, &result));
  EXPECT_LT(one.gradient.values[0], 0);
  EXPECT_EQ(one.gradient.values[2], 0);
  EXPECT_EQ(one.gradient.values[3], 0);
  EXPECT_NEAR(metrics.at("policy_weight"), .5, 1e-12);
}

}  // namespace

}  // namespace retort::golden
