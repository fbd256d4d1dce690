// Batches cover every sequence once, in an order that depends on seed and epoch alone.
#include "train/sequences.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace retort::train {
namespace {

std::vector<std::size_t> lengths_of(std::size_t count) {
  std::vector<std::size_t> lengths;
  SeededSequence random(3, 0);
  for (std::size_t i = 0; i < count; ++i) lengths.push_back(5 + random.below(60));
  return lengths;
}

}  // namespace

TEST(BatchPlan, HoldsEverySequenceOnce) {
  const auto lengths = lengths_of(1003);
  const auto plan = batch_plan(lengths, 32, 7, 0);
  std::multiset<std::size_t> seen;
  for (const auto& batch : plan) {
    EXPECT_LE(batch.size(), 32u);
    seen.insert(batch.begin(), batch.end());
  }
  ASSERT_EQ(seen.size(), lengths.size());
  for (std::size_t i = 0; i < lengths.size(); ++i) EXPECT_EQ(seen.count(i), 1u);
}

TEST(BatchPlan, DependsOnSeedAndEpochAlone) {
  const auto lengths = lengths_of(500);
  EXPECT_EQ(batch_plan(lengths, 16, 7, 2), batch_plan(lengths, 16, 7, 2));
  EXPECT_NE(batch_plan(lengths, 16, 7, 2), batch_plan(lengths, 16, 7, 3));
  EXPECT_NE(batch_plan(lengths, 16, 7, 2), batch_plan(lengths, 16, 8, 2));
}

TEST(BatchPlan, PadsLittle) {
  const auto lengths = lengths_of(2048);
  std::size_t tokens = 0, cells = 0;
  for (const auto& batch : batch_plan(lengths, 32, 1, 0)) {
    std::size_t longest = 0;
    for (const std::size_t i : batch) {
      tokens += lengths[i];
      longest = std::max(longest, lengths[i]);
    }
    cells += longest * batch.size();
  }
  EXPECT_LT(static_cast<double>(cells), 1.08 * static_cast<double>(tokens));  // at random it is about 1.8
}

TEST(SeededSequence, IsTheSameEverywhere) {
  SeededSequence a(1, 2), b(1, 2), c(1, 3);
  EXPECT_EQ(a.next(), b.next());
  EXPECT_NE(a.next(), c.next());
  SeededSequence random(5, 5);
  std::vector<int> counts(6);
  for (int i = 0; i < 60000; ++i) ++counts[random.below(6)];
  for (const int count : counts) EXPECT_NEAR(count, 10000, 400);  // 4.4 standard deviations
}

}  // namespace retort::train
