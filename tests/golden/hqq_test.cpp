// quantize.hqq: the published iterations with a zero that is a fraction, and the form that files hold.
#include "hqq.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

namespace retort::golden {

namespace {

using quantize::AffineGroup;
using quantize::CodedRow;
using quantize::CodeGrid;
using quantize::HalfQuadraticFit;
using quantize::HalfQuadraticOptions;

/// As hqq has it: the whole range, the zero a fraction.
HalfQuadraticFit published(const std::vector<float>& weights, double highest,
                           const HalfQuadraticOptions& options = {}) {
  const auto [low, high] = std::minmax_element(weights.begin(), weights.end());
  const double scale = (static_cast<double>(*high) - static_cast<double>(*low)) / highest;
  return quantize::half_quadratic(weights, {scale, -static_cast<double>(*low) / scale}, highest, options,
                                  [](const AffineGroup& group) { return group; });
}

CodeGrid asymmetric(std::int64_t group, std::int32_t bits = 4) {
  CodeGrid grid;
  grid.bits = bits;
  grid.symmetric = false;
  grid.group_size = group;
  return grid;
}

double mean_error(const std::vector<float>& weights, const CodedRow& row) {
  const std::size_t width = weights.size() / row.scales.size();
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i)
    sum += std::abs(static_cast<double>(weights[i]) - quantize::restored(row.codes[i], row.scales[i / width])) /
           static_cast<double>(weights.size());
  return sum;
}

const std::vector<float> outliers{-.06f, -.4f, .05f, .1f, -.3f, -5.83f, -.11f, 1.3f, .48f, -.37f, -2.08f, .06f};
const HalfQuadraticOptions with_scale{.7, 10, 1.01, 20, true};

TEST(HqqGolden, OneGroup) {
  // Golden "hqq_one_group" (mobiusml/hqq@e0b1d00 core/optimize.py:114-175, v2: the best is kept).
  const HalfQuadraticFit found = published(outliers, 15);
  EXPECT_NEAR(found.group.scale, .475333333333, 1e-7);
  EXPECT_EQ(found.errors.size(), 20U);
  const double first[] = {.121666666667, .107525415927, .099165294132, .098299989951};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(found.errors[i], first[i], 1e-7) << i;
  EXPECT_NEAR(found.group.zero, 12.005715634095, 1e-6);
  EXPECT_NEAR(found.errors.back(), .098063916345, 1e-7);
}

TEST(HqqGolden, StopsAtOnce) {
  // Golden "hqq_stops_at_once".
  const HalfQuadraticFit found = published({-.9f, -.3f, .05f, .2f, .42f, .6f, .85f, 1.4f}, 15);
  ASSERT_EQ(found.errors.size(), 2U);
  EXPECT_NEAR(found.errors[0], .028333333333, 1e-7);
  EXPECT_NEAR(found.errors[1], .02875, 1e-7);
  EXPECT_NEAR(found.group.zero, 5.869565217391, 1e-6);
}

TEST(HqqGolden, ThreeBitsWithAnotherNorm) {
  // Own numbers, with numpy: p .5, β 4, κ 1.05, at most 12 iterations; the first step makes it worse.
  const HalfQuadraticFit found =
      published({-.41f, .22f, .93f, -1.7f, .08f, .36f, -.77f, .5f, 3.1f, -.02f}, 7, {.5, 4, 1.05, 12, false});
  EXPECT_NEAR(found.group.scale, .685714285714, 1e-7);
  EXPECT_NEAR(found.group.zero, 2.479166666667, 1e-6);
  ASSERT_EQ(found.errors.size(), 2U);
  EXPECT_NEAR(found.errors[0], .130714285714, 1e-7);
  EXPECT_NEAR(found.errors[1], .133742857143, 1e-7);
}

TEST(HqqGolden, WholeZerosAndAScaleThatFollows) {
  // Own numbers, with numpy.
  CodedRow row(12, asymmetric(0));
  EXPECT_EQ(quantize::half_quadratic_row(outliers, asymmetric(0), with_scale, row), 20);
  EXPECT_NEAR(row.scales[0].scale, .484357506037, 1e-6);
  EXPECT_EQ(row.scales[0].zero_point, 12);
  EXPECT_EQ(row.codes, (std::vector<std::int32_t>{12, 11, 12, 12, 11, 0, 12, 15, 13, 11, 8, 12}));
  EXPECT_NEAR(mean_error(outliers, row), .090065193983, 1e-6);

  const std::vector<float> other{-.9f, -.3f, .05f, .2f, .42f, .6f, .85f, 1.4f, 2.9f, -.15f, .07f, -.55f};
  EXPECT_EQ(quantize::half_quadratic_row(other, asymmetric(0), with_scale, row), 5);
  EXPECT_NEAR(row.scales[0].scale, .267821222544, 1e-6);
  EXPECT_EQ(row.scales[0].zero_point, 4);
  EXPECT_EQ(row.codes, (std::vector<std::int32_t>{1, 3, 4, 5, 6, 6, 7, 9, 15, 3, 4, 2}));
  EXPECT_NEAR(mean_error(other, row), .065181559262, 1e-6);
}

TEST(Hqq, AWholeZeroAloneGainsNothing) {
  // What hqq moves is less than a half: files with whole zeros hold the same codes as after rounding.
  CodedRow row(12, asymmetric(0)), rounded(12, asymmetric(0));
  quantize::half_quadratic_row(outliers, asymmetric(0), {}, row);
  quantize::round_row(outliers, asymmetric(0), {}, rounded);
  EXPECT_EQ(row.codes, rounded.codes);
  EXPECT_EQ(row.scales[0].zero_point, rounded.scales[0].zero_point);
}

TEST(Hqq, IsNeverWorseThanRoundingAndBetterOverAll) {
  std::mt19937 random(4);
  std::normal_distribution<float> normal;
  for (const std::int32_t bits : {2, 3, 4, 8}) {
    CodeGrid grid = asymmetric(32, bits);
    grid.bf16_scales = true;
    double sum = 0, rounding = 0;
    for (int r = 0; r < 40; ++r) {
      std::vector<float> weights(128);
      for (float& weight : weights) weight = normal(random) * (r % 7 == 0 ? 1e-3f : 1.0f);
      CodedRow row(128, grid), rounded(128, grid);
      quantize::half_quadratic_row(weights, grid, with_scale, row);
      quantize::round_row(weights, grid, {}, rounded);
      for (const quantize::GroupScale& scale : row.scales)
        EXPECT_EQ(quantize::rounded_to_bf16(scale.scale), scale.scale);
      for (const std::int32_t code : row.codes) EXPECT_TRUE(code >= 0 && code < 1 << bits);
      EXPECT_LE(mean_error(weights, row), mean_error(weights, rounded) * (1 + 1e-12));
      sum += mean_error(weights, row);
      rounding += mean_error(weights, rounded);
    }
    if (bits <= 4) {
      EXPECT_LT(sum, .98 * rounding) << bits;
    }
  }
}

TEST(Hqq, GroupsOfOneValueOrZerosAreExact) {
  CodedRow row(8, asymmetric(4));
  quantize::half_quadratic_row(std::vector<float>{0, 0, 0, 0, .5f, .5f, .5f, .5f}, asymmetric(4), with_scale, row);
  for (std::size_t i = 0; i < 8; ++i)
    EXPECT_NEAR(quantize::restored(row.codes[i], row.scales[i / 4]), i < 4 ? 0 : .5, 1e-7) << i;
}

TEST(Hqq, RefusesSymmetricGridsAndWhatIsNotFinite) {
  CodedRow row(4, asymmetric(0));
  CodeGrid symmetric = asymmetric(0);
  symmetric.symmetric = true;
  EXPECT_THROW(quantize::half_quadratic_row(std::vector<float>{1, 2, 3, 4}, symmetric, with_scale, row),
               std::invalid_argument);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(quantize::half_quadratic_row(std::vector<float>{1, nan, 3, 4}, asymmetric(0), with_scale, row),
               std::invalid_argument);
}

}  // namespace

}  // namespace retort::golden
