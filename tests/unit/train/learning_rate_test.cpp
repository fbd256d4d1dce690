// The schedule's corners, computed by hand.
#include "train/learning_rate.h"

#include <gtest/gtest.h>

namespace retort::train {

TEST(LearningRate, RisesLinearlyThenFallsAsACosine) {
  const LearningRateSchedule schedule{.peak = 2.0, .total_steps = 101, .warmup_fraction = 0.1, .final_fraction = 0.1};
  EXPECT_DOUBLE_EQ(schedule.at(0), 0.2);                         // 2·1/10
  EXPECT_DOUBLE_EQ(schedule.at(9), 2.0);                         // the last step of the warm-up
  EXPECT_DOUBLE_EQ(schedule.at(10), 2.0);                        // cos 0
  EXPECT_NEAR(schedule.at(55), 2.0 * (0.1 + 0.9 * 0.5), 1e-12);  // half way: cos π/2
  EXPECT_NEAR(schedule.at(100), 0.2, 1e-12);
}

TEST(LearningRate, StartsAtThePeakWithoutWarmup) {
  const LearningRateSchedule schedule{.peak = 1.0, .total_steps = 10, .warmup_fraction = 0, .final_fraction = 0};
  EXPECT_DOUBLE_EQ(schedule.at(0), 1.0);
  EXPECT_NEAR(schedule.at(9), 0.0, 1e-12);
}

TEST(LearningRate, ASingleStepHasThePeak) {
  EXPECT_DOUBLE_EQ((LearningRateSchedule{.peak = 3.0, .total_steps = 1}).at(0), 3.0);
}

}  // namespace retort::train
