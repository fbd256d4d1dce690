// The vectorised passes against their reference versions, at lengths around and between vector widths.
#include "runtime/kernels/vector_kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "random_model.h"
#include "runtime/kernels/exponential.h"
#include "runtime/kernels/reference_kernels.h"
#include "runtime/kernels/rope_table.h"

namespace retort::runtime {
namespace {

const std::int64_t kLengths[] = {1, 2, 7, 15, 16, 17, 31, 33, 64, 70, 97, 150, 333, 1024};

Row random_row(std::int64_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  return testing::random_values(count, random);
}

float largest(const Row& row) {
  float maximum = 0;
  for (const float value : row) maximum = std::max(maximum, std::fabs(value));
  return maximum;
}

// f32 sums of up to 1024 terms: relative error well below 1e-5 of the row's size.
void expect_close(const Row& found, const Row& expected, float tolerance = 1e-5f) {
  ASSERT_EQ(found.size(), expected.size());
  const float allowed = tolerance * std::max(1.0f, largest(expected));
  for (std::size_t i = 0; i < found.size(); ++i) ASSERT_NEAR(found[i], expected[i], allowed) << "at " << i;
}

TEST(RmsNorm, EqualsReferenceAndReturnsTheMaximum) {
  for (const std::int64_t length : kLengths) {
    const Row x = random_row(length, 1), weight = random_row(length, 2);
    Row y(x.size());
    const float maximum = rms_norm(x.data(), weight.data(), length, 1e-5f, y.data());
    expect_close(y, ref_rms_norm(x, weight, 1e-5));
    EXPECT_EQ(maximum, largest(y)) << length;
    EXPECT_EQ(max_abs(y.data(), length), maximum) << length;
  }
}

TEST(QuantizeRow, GivesTheReferencesCodesAndScale) {
  for (const std::int64_t length : kLengths) {
    const Row x = random_row(length, 3);
    std::vector<std::int8_t> codes(x.size());
    const float scale = quantize_row(x.data(), length, max_abs(x.data(), length), codes.data());
    const RefQuantizedRow expected = ref_quantize_row(x);
    EXPECT_EQ(codes, expected.codes) << length;
    EXPECT_EQ(scale, expected.scale) << length;
  }
}

TEST(QuantizeRow, RoundsHalfToEvenAndKeepsTheEnds) {
  const Row x{127, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -127, 126.5f};
  std::vector<std::int8_t> codes(x.size());
  EXPECT_EQ(quantize_row(x.data(), 8, 127.0f, codes.data()), 1.0f);
  EXPECT_EQ(codes, (std::vector<std::int8_t>{127, 0, 2, 2, 0, -2, -127, 126}));
}

TEST(QuantizeRow, OfZerosIsZeroWithScaleZero) {
  const Row x(33, 0.0f);
  std::vector<std::int8_t> codes(x.size(), 1);
  EXPECT_EQ(quantize_row(x.data(), 33, 0.0f, codes.data()), 0.0f);
  EXPECT_EQ(codes, std::vector<std::int8_t>(33, 0));
}

TEST(QuantizeRowWide, PlanesAreTheRoundedCode) {
  for (const std::int64_t length : kLengths) {
    const Row x = random_row(length, 3);
    const float maximum = max_abs(x.data(), length);
    std::vector<std::int8_t> high(x.size()), low(x.size());
    const float scale = quantize_row_wide(x.data(), length, maximum, high.data(), low.data());
    EXPECT_FLOAT_EQ(scale, maximum / 16256.0f);
    for (std::size_t i = 0; i < x.size(); ++i) {
      // Half a code, and the last digit of a product in f32.
      EXPECT_NEAR(128 * high[i] + low[i], double{x[i]} * 16256.0 / double{maximum}, 0.502) << i;
      EXPECT_GE(low[i], -64);
      EXPECT_LE(low[i], 63);
      EXPECT_GE(high[i], -127);
    }
  }
}

TEST(QuantizeGroupsWide, PutsEvenCodesFirstSumsPlanesAndFillsUpWithZeros) {
  for (const std::int64_t length : kLengths) {
    for (const std::int64_t group : {32, 64, 128}) {
      const Row x = random_row(length, 3);
      const float maximum = max_abs(x.data(), length);
      const std::int64_t groups = (length + group - 1) / group;
      std::vector<std::int8_t> high(x.size()), low(x.size());
      const float scale = quantize_row_wide(x.data(), length, maximum, high.data(), low.data());
      const auto padded = static_cast<std::size_t>(groups * group);
      std::vector<std::int8_t> found_high(padded, 99), found_low(padded, 99);
      std::vector<std::int32_t> high_sums(static_cast<std::size_t>(groups)), low_sums(high_sums.size());
      EXPECT_EQ(quantize_groups_wide(x.data(), length, group, maximum, found_high.data(), found_low.data(),
                                     high_sums.data(), low_sums.data()),
                scale);
      high.resize(padded);
      low.resize(padded);
      std::vector<std::int32_t> expected_high(high_sums.size()), expected_low(high_sums.size());
      for (std::size_t i = 0; i < padded; ++i) {
        const std::size_t place = i / 8 * 8 + i % 2 * 4 + i % 8 / 2;
        EXPECT_EQ(found_high[place], high[i]) << length << " in groups of " << group << " at " << i;
        EXPECT_EQ(found_low[place], low[i]) << length << " in groups of " << group << " at " << i;
        expected_high[i / static_cast<std::size_t>(group)] += high[i];
        expected_low[i / static_cast<std::size_t>(group)] += low[i];
      }
      EXPECT_EQ(high_sums, expected_high);
      EXPECT_EQ(low_sums, expected_low);
    }
  }
}

TEST(QuantizeRowWide, OfZerosIsZeroWithScaleZero) {
  const Row x(33, 0.0f);
  std::vector<std::int8_t> high(x.size(), 1), low(x.size(), 1);
  EXPECT_EQ(quantize_row_wide(x.data(), 33, 0.0f, high.data(), low.data()), 0.0f);
  EXPECT_EQ(high, std::vector<std::int8_t>(33, 0));
  EXPECT_EQ(low, std::vector<std::int8_t>(33, 0));
}

TEST(JoinPlanes, AddsTheHighPlaneTimes128) {
  const Row high = random_row(77, 1), low = random_row(77, 2);
  Row joined(high.size());
  join_planes(high.data(), low.data(), 77, joined.data());
  for (std::size_t i = 0; i < joined.size(); ++i) EXPECT_FLOAT_EQ(joined[i], 128.0f * high[i] + low[i]);
}

TEST(Rotate, EqualsReference) {
  for (const std::int64_t head_dim : {2, 8, 10, 16, 30, 64}) {
    const std::vector<double> frequencies = model::rope_frequencies({}, 10000.0, head_dim);
    const RopeTable table(600, frequencies, 1.0), hot(600, frequencies, 1.5);
    for (const std::int64_t position : {0, 1, 33, 599}) {
      const Row x = random_row(head_dim, 4);
      Row y(x.size());
      rotate(x.data(), table.cosine(position), table.sine(position), head_dim, 0.5f, y.data());
      Row expected = ref_rotate(x, position, frequencies);
      for (float& value : expected) value *= 0.5f;
      expect_close(y, expected, 1e-6f);
      rotate(x.data(), hot.cosine(position), hot.sine(position), head_dim, 0.5f, y.data());
      for (float& value : expected) value *= 1.5f;
      expect_close(y, expected, 1e-6f);
    }
  }
}

TEST(Swiglu, EqualsReferenceAndReturnsTheMaximum) {
  for (const std::int64_t length : kLengths) {
    const Row gate = random_row(length, 5), up = random_row(length, 6);
    Row y(gate.size()), scaled_gate = gate, scaled_up = up;
    for (float& value : scaled_gate) value *= 3.0f;
    for (float& value : scaled_up) value *= 3.0f;
    const float maximum = swiglu(gate.data(), up.data(), length, 3.0f, y.data());
    expect_close(y, ref_swiglu(scaled_gate, scaled_up), 2e-6f);
    EXPECT_EQ(maximum, largest(y));
    const float greatest = geglu(gate.data(), up.data(), length, 3.0f, y.data());
    expect_close(y, ref_geglu(scaled_gate, scaled_up), 2e-6f);
    EXPECT_EQ(greatest, largest(y));
  }
}

/// torch.nn.functional.gelu(x, approximate="tanh") in float64.
TEST(Geglu, IsPyTorchsTanhForm) {
  const Row gate{-3, -1, -0.5, 0, 0.5, 1, 3}, up(7, 1.0f);
  const std::vector<double> expected{-0.0036373920817729943, -0.15880800939172324, -0.15428599017516514, 0,
                                     0.34571400982483486,    0.8411919906082768,   2.996362607918227};
  Row y(7);
  geglu(gate.data(), up.data(), 7, 1.0f, y.data());
  for (std::size_t i = 0; i < 7; ++i) EXPECT_NEAR(double{y[i]}, expected[i], 2e-7);
}

TEST(Swiglu, IsFiniteForExtremeGates) {
  const Row gate{-1e30f, -200, -88, 0, 88, 200, 1e30f}, up(7, 1.0f);
  Row y(7);
  swiglu(gate.data(), up.data(), 7, 1.0f, y.data());
  EXPECT_LT(std::fabs(y[1]), 1e-30f);
  EXPECT_EQ(y[3], 0.0f);
  EXPECT_FLOAT_EQ(y[5], 200.0f);
  for (const float value : y) EXPECT_TRUE(std::isfinite(value)) << value;
  geglu(gate.data(), up.data(), 7, 1.0f, y.data());
  EXPECT_LT(std::fabs(y[1]), 1e-30f);
  EXPECT_FLOAT_EQ(y[5], 200.0f);
  for (const float value : y) EXPECT_TRUE(std::isfinite(value)) << value;
}

TEST(Exponential, HasARelativeErrorBelowTwoInTenMillion) {
  for (float x = -86.9f; x < 87.9f; x += 0.0137f) {
    const double expected = std::exp(double{x});
    ASSERT_NEAR(double{exponential(x)} / expected, 1.0, 2e-7) << x;
  }
}

TEST(AddScaled, AddsAndScaleRowScales) {
  for (const std::int64_t length : kLengths) {
    const Row x = random_row(length, 7);
    Row y = random_row(length, 8), expected = y;
    for (std::size_t i = 0; i < x.size(); ++i) expected[i] = (expected[i] + x[i] * 0.25f) * 2.0f;
    add_scaled(x.data(), 0.25f, length, y.data());
    scale_row(2.0f, length, y.data());
    expect_close(y, expected, 1e-6f);
  }
}

TEST(Argmax, TakesTheSmallestIndexOfEquals) {
  Row x(77, -1.0f);
  x[40] = x[41] = x[76] = 2.0f;
  EXPECT_EQ(argmax(x.data(), 77), 40);
  EXPECT_EQ(argmax(x.data(), 1), 0);
}

TEST(Argmax, OfNothingButNaNIsMinusOne) {
  const Row x(9, std::numeric_limits<float>::quiet_NaN());
  EXPECT_EQ(argmax(x.data(), 9), -1);
}

}  // namespace
}  // namespace retort::runtime
