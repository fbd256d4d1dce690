// The policy-gradient algorithms' built libraries through the C ABI: steps by hand, keep, metrics, errors.
#include <gtest/gtest.h>
#include <retort/abi/rl.h>

#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "loaded_plugin.h"

namespace retort::golden {

namespace {

const float unwritten = std::numeric_limits<float>::quiet_NaN();

template <typename Action>
std::string rl_refusal(Action action) {
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
    return rl_refusal([&] { throw_if_error(functions.advantages(component.instance(), &batch, &out)); });
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

void expect_near(const std::vector<float>& found, const std::vector<float>& expected, float tolerance) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], tolerance) << i;
}

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
  EXPECT_NE(rl_refusal([] {
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
  EXPECT_NE(rl_refusal([&] {
              one.batch.old_values = nullptr;
              one.ask_advantages(held, true);
            }).find("old_values: expected [1,4], found no tensor"),
            std::string::npos);
}

}  // namespace

}  // namespace retort::golden
