// rl.rloo: published numbers, and the case of equal rewards in f32 (goldens_transfer.json, rloo_equal_rewards_f32).
#include "rloo.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <vector>

namespace retort::golden {

namespace {

std::vector<double> advantages_of(const std::vector<double>& rewards) {
  std::vector<double> advantages(rewards.size(), 9.0);
  rl::leave_one_out(rewards, advantages);
  return advantages;
}

TEST(RlooGolden, AdvantagesOfFourSamples) {
  const auto found = advantages_of({1, 0, 0, 1});
  const double expected[] = {2 / 3., -2 / 3., -2 / 3., 2 / 3.};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(found[i], expected[i], 1e-12);
}

TEST(RlooGolden, IsTheSumOfGapsToTheOthers) {
  // The definition, sample by sample: r_i less the mean of the others.
  const std::vector<double> rewards{.25, 1, -1, .5, .5, 0, 1, .75};
  const auto found = advantages_of(rewards);
  for (std::size_t i = 0; i < rewards.size(); ++i) {
    double others = 0;
    for (std::size_t j = 0; j < rewards.size(); ++j) others += j == i ? 0 : rewards[j] / 7;
    EXPECT_NEAR(found[i], rewards[i] - others, 1e-12) << i;
  }
}

TEST(RlooGolden, EqualRewardsTeachExactlyNothing) {
  std::vector<double> advantages(7, 9.0);
  const std::vector<double> rewards(7, static_cast<double>(.35F));
  EXPECT_FALSE(rl::leave_one_out(rewards, advantages));
  EXPECT_EQ(advantages, std::vector<double>(7, 0.0));
}

TEST(Rloo, ARewardThatIsNotFiniteIsNamed) {
  EXPECT_THROW(advantages_of({1, NAN}), std::invalid_argument);
}

}  // namespace

}  // namespace retort::golden
