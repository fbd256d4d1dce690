// rl.ppo: generalised advantages, whitening and the clipped value loss against published numbers and numbers computed
// in float64 outside this project.
#include "ppo.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "central_differences.h"
#include "numbers.h"
#include "returns.h"

namespace retort::golden {

namespace {

struct Gae {
  std::vector<double> advantages, returns;
};

Gae gae(const rl::GaeOptions& options, const std::vector<double>& rewards, const std::vector<float>& values,
        const std::vector<float>& mask) {
  Gae out{std::vector<double>(rewards.size(), 9), std::vector<double>(rewards.size(), 9)};
  rl::generalised_advantages(options, rewards, values, mask, out.advantages, out.returns);
  return out;
}

TEST(PpoGolden, GeneralisedAdvantages) {
  const Gae found = gae({1, .95}, {0, 0, 1}, {.5F, .4F, .3F}, {1, 1, 1});
  expect_near(found.advantages, {.43675, .565, .7}, 1e-7);
  expect_near(found.returns, {.93675, .965, 1}, 1e-7);
}

TEST(PpoGolden, RewardToGoPassesOverAToolsResult) {
  // goldens_transfer.json, reward_to_go_tool_span (verl issue 7278): masked positions neither add, discount nor reset.
  const std::vector<float> zeros(6, 0.0F);
  expect_near(gae({1, 1}, {0, 0, 0, 0, 0, 1}, zeros, {1, 1, 0, 0, 1, 1}).returns, {1, 1, 0, 0, 1, 1}, 1e-12);
  expect_near(gae({.5, 1}, {0, 0, 1}, {0, 0, 0}, {1, 0, 1}).returns, {.5, 0, 1}, 1e-12);
  // What stands in the gap is not read.
  const float unknown = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> gap{.5F, unknown, .4F, .3F};
  expect_near(gae({1, .95}, {0, 0, 0, 1}, gap, {1, 0, 1, 1}).advantages, {.43675, 0, .565, .7}, 1e-7);
}

TEST(PpoGolden, LambdaOneGivesReturnsLessValuesAndZeroTheOneStepError) {
  const std::vector<double> rewards{.2, -.1, 0, 1};
  const std::vector<float> values{.5F, .25F, -.25F, .75F}, mask(4, 1.0F);
  expect_near(gae({1, 1}, rewards, values, mask).advantages, {1.1 - .5, .9 - .25, 1.25, .25}, 1e-7);
  expect_near(gae({.9, 0}, rewards, values, mask).advantages,
              {.2 + .9 * .25 - .5, -.1 + .9 * -.25 - .25, .9 * .75 + .25, 1 - .75}, 1e-7);
}

TEST(PpoGolden, Whitening) {
  std::vector<double> advantages{.43675, .565, .7};
  rl::whiten(advantages);
  expect_near(advantages, {-.9913440828, -.0170921394, 1.0084362222}, 1e-9);
  std::vector<double> equal(7, static_cast<double>(.35F)), one{3.0}, none;
  rl::whiten(equal);
  rl::whiten(one);
  rl::whiten(none);
  EXPECT_EQ(equal, std::vector<double>(7, 0.0));
  EXPECT_EQ(one, std::vector<double>{0.0});
}

TEST(PpoGolden, ValueLossTakesTheWorseOfFreeAndClipped) {
  struct Case {
    double value, old_value, target, loss, derivative;
    bool clipped;
  };
  const Case cases[] = {{.5, .5, 1, .125, -.5, false},   // where it was
                        {.9, .5, 1, .5 * .09, 0, true},  // towards the target, past .5 + .2: the clipped one is worse
                        {.1, .5, 1, .5 * .81, -.9, false},   // away from it: the free one is worse
                        {1.4, .5, 1, .5 * .16, .4, false}};  // past the target: the free one is worse
  for (const Case& c : cases) {
    const rl::ValueLoss found = rl::value_loss(.2, c.value, c.old_value, c.target);
    EXPECT_NEAR(found.loss, c.loss, 1e-12) << c.value;
    EXPECT_NEAR(found.derivative, c.derivative, 1e-12) << c.value;
    EXPECT_EQ(found.clipped, c.clipped) << c.value;
  }
  EXPECT_NEAR(rl::value_loss(0, .9, .5, 1).loss, .005, 1e-12);  // not clipped
}

TEST(Ppo, ValueDerivativesMatchCentralDifferences) {
  for (const double clip : {0.0, .2})
    for (const double value : {-.4, .35, .65, .95, 1.5}) {
      const auto loss = [&](const std::vector<double>& x) { return rl::value_loss(clip, x[0], .5, .9).loss; };
      EXPECT_NEAR(rl::value_loss(clip, value, .5, .9).derivative, central_differences(loss, {value})[0], 1e-8) << value;
    }
}

}  // namespace

}  // namespace retort::golden
