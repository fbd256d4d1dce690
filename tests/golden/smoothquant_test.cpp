// quantize.smoothquant: the example of the paper's figure, and what factors do to a product.
#include "smoothquant.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

namespace retort::golden {

namespace {

using quantize::smoothquant_factors;
using Factors = std::vector<float>;

/// Largest magnitudes of X = [[1,−16,2,6],[−2,8,−1,−9]] and of the rows of W (in × out) = [[2,1,−2],[1,−1,−1],
/// [2,−1,−2],[−1,−1,1]]: arXiv 2211.10438, figure 5.
const Factors inputs{2, 16, 2, 9}, weights{2, 1, 2, 1};

void expect_near(const Factors& found, const std::vector<double>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(static_cast<double>(found[i]), expected[i], 1e-6) << i;
}

TEST(SmoothQuantGolden, FigureFive) {
  EXPECT_EQ(smoothquant_factors(inputs, weights, .5, {}), (Factors{1, 4, 1, 3}));
}

TEST(SmoothQuantGolden, OtherExponents) {
  // Own numbers: 2^.75/2^.25 = √2, 16^.75 = 8, 9^.75 = 5.196152; with 0 and 1 one side alone.
  expect_near(smoothquant_factors(inputs, weights, .75, {}), {1.414213562, 8, 1.414213562, 5.196152423});
  expect_near(smoothquant_factors(inputs, weights, 1, {}), {2, 16, 2, 9});
  expect_near(smoothquant_factors(inputs, weights, 0, {}), {.5, 1, .5, 1});
}

TEST(SmoothQuantGolden, ChannelsOfOneValueRowShareTheLargest) {
  // Two query heads of two channels: 0 and 2 share, 1 and 3 do. Own numbers: √(2/2) and √(16/1).
  expect_near(smoothquant_factors(inputs, weights, .5, {2, 2}), {1, 4, 1, 4});
}

TEST(SmoothQuant, MakesRangesAlikeAndLeavesTheProduct) {
  const double x[2][4] = {{1, -16, 2, 6}, {-2, 8, -1, -9}};
  const double w[4][3] = {{2, 1, -2}, {1, -1, -1}, {2, -1, -2}, {-1, -1, 1}};
  const Factors factors = smoothquant_factors(inputs, weights, .5, {});
  for (const auto& row : x)
    for (std::size_t o = 0; o < 3; ++o) {
      double plain = 0, smoothed = 0;
      for (std::size_t i = 0; i < 4; ++i) {
        const auto factor = static_cast<double>(factors[i]);
        plain += row[i] * w[i][o];
        smoothed += row[i] / factor * (w[i][o] * factor);
      }
      EXPECT_NEAR(smoothed, plain, 1e-12);
    }
  for (std::size_t i = 0; i < 4; ++i) EXPECT_FLOAT_EQ(inputs[i] / factors[i], weights[i] * factors[i]);
}

TEST(SmoothQuant, LeavesChannelsAloneThatAreZero) {
  EXPECT_EQ(smoothquant_factors(Factors{0, 4, 4, 4}, Factors{1, 0, 1, 4}, .5, {}), (Factors{1, 1, 2, 1}));
  // Factors that f32 cannot hold both ways.
  const float tiny = std::numeric_limits<float>::denorm_min();
  EXPECT_EQ(smoothquant_factors(Factors{tiny}, Factors{1e30f}, 1, {}), Factors{1});
}

TEST(SmoothQuant, RefusesWhatIsNotFiniteOrNegative) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(smoothquant_factors(Factors{nan}, Factors{1}, .5, {}), std::invalid_argument);
  EXPECT_THROW(smoothquant_factors(Factors{1}, Factors{-1}, .5, {}), std::invalid_argument);
}

}  // namespace

}  // namespace retort::golden
