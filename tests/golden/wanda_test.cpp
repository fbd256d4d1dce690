// sparsify.wanda: the example of the paper's figure 1, patterns, ties.
#include "wanda.h"

#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>
#include <vector>

namespace retort::golden {

namespace {

using sparsify::Pattern;
using Mask = std::vector<std::uint8_t>;

Mask mask_of(const std::vector<float>& weights, const std::vector<float>& squares, const Pattern& pattern) {
  Mask mask(weights.size(), 9);
  sparsify::wanda_mask(weights, squares, pattern, mask);
  return mask;
}

TEST(WandaGolden, FigureOne) {
  // arXiv 2306.11695, figure 1: norms 1, 2, 8, 3. By magnitude alone the third weight of the first row could go.
  const std::vector<float> squares{1, 4, 64, 9};
  EXPECT_EQ(mask_of({4, 0, 1, -1}, squares, {}), (Mask{1, 0, 1, 0}));
  EXPECT_EQ(mask_of({3, -2, -1, -3}, squares, {}), (Mask{0, 0, 1, 1}));
  EXPECT_EQ(mask_of({-3, 1, 0, 2}, squares, {}), (Mask{1, 0, 0, 1}));
}

TEST(Wanda, TheShareIsRoundedDown) {
  const std::vector<float> weights{5, 4, 3, 2, 1}, ones(5, 1.0f);
  Pattern pattern;
  pattern.fraction = .39;
  EXPECT_EQ(mask_of(weights, ones, pattern), (Mask{1, 1, 1, 1, 0}));
  pattern.fraction = 0;
  EXPECT_EQ(mask_of(weights, ones, pattern), (Mask{1, 1, 1, 1, 1}));
  pattern.fraction = .8;
  EXPECT_EQ(mask_of(weights, ones, pattern), (Mask{1, 0, 0, 0, 0}));
}

TEST(Wanda, TwoOfEveryFourStay) {
  const Pattern two_of_four{.5, 2, 4};
  // The second four are all larger than the first: the pattern still leaves two of each.
  EXPECT_EQ(mask_of({1, 2, 3, 4, 50, 80, 70, 60}, std::vector<float>(8, 1.0f), two_of_four),
            (Mask{0, 0, 1, 1, 0, 1, 1, 0}));
  EXPECT_EQ(mask_of({1, 2, 3, 4}, {100, 1, 1, 1}, two_of_four), (Mask{1, 0, 0, 1}));
  EXPECT_THROW(mask_of({1, 2, 3}, {1, 1, 1}, two_of_four), std::invalid_argument);
}

TEST(Wanda, OfEqualScoresTheLowerColumnGoes) {
  EXPECT_EQ(mask_of({1, -1, 1, -1}, {1, 1, 1, 1}, {}), (Mask{0, 0, 1, 1}));
  EXPECT_EQ(mask_of({0, 0, 0, 0}, {1, 1, 1, 1}, {.5, 3, 4}), (Mask{0, 1, 1, 1}));
}

TEST(Wanda, RefusesWhatIsNotFinite) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(mask_of({1, nan}, {1, 1}, {}), std::invalid_argument);
  EXPECT_THROW(mask_of({1, 1}, {1, nan}, {}), std::invalid_argument);
  EXPECT_THROW(mask_of({1, 1}, {1, -1}, {}), std::invalid_argument);
}

}  // namespace

}  // namespace retort::golden
