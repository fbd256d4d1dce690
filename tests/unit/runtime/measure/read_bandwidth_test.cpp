// The read bandwidth, as far as any machine's can be known.
#include "runtime/measure/read_bandwidth.h"

#include <gtest/gtest.h>

namespace retort::runtime {
namespace {

TEST(ReadBandwidth, IsPlausible) {
  const double rate = ReadBandwidth(1).measure(2);
  EXPECT_GT(rate, 1e8);   // a tenth of the slowest memory of the last twenty years
  EXPECT_LT(rate, 1e13);  // more than any
}

TEST(ReadBandwidth, ReadsEveryWordOfEachThread) {
  // A rate of 0 would say that a sum is not the number of words.
  for (const std::int64_t threads : {1, 2, 3})
    for (const std::int64_t words : {1, 31, 257, 4095, 100'003})
      EXPECT_GT(ReadBandwidth(threads, threads * words * 8).measure(1), 0) << threads << " threads, " << words;
}

TEST(ReadBandwidth, IsNothingWithoutAPass) {
  EXPECT_EQ(ReadBandwidth(1, 4096).measure(0), 0);
}

}  // namespace
}  // namespace retort::runtime
