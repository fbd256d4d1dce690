// Rows in 8 bits but for their outliers, against the reference; their products are tested as part of linear layers.
#include "runtime/linear/outliers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "random_model.h"
#include "runtime/kernels/reference_kernels.h"
#include "runtime/kernels/vector_kernels.h"

namespace retort::runtime {
namespace {

struct Quantized {
  std::vector<std::int8_t> codes;
  std::vector<std::int32_t> places;
  float scale = 0;
};

Quantized quantized(const Row& x) {
  const auto count = static_cast<std::int64_t>(x.size());
  Quantized result{std::vector<std::int8_t>(x.size()), {}, 0};
  std::vector<std::int32_t> outliers(static_cast<std::size_t>(outliers_of(count)) + 1, 12345);
  result.scale =
      quantize_row_but_outliers(x.data(), count, max_abs(x.data(), count), result.codes.data(), outliers.data());
  EXPECT_EQ(outliers.back(), 12345) << "writes past the end";
  result.places.assign(outliers.begin() + 1, outliers.begin() + 1 + outliers.front());
  return result;
}

TEST(Outliers, AreSeparatedAsInTheReference) {
  std::mt19937 random(3);
  for (const std::int64_t count : {1, 7, 100, 101, 128, 131, 576, 896, 4864}) {
    for (const std::int64_t outliers : {std::int64_t{0}, std::int64_t{1}, std::int64_t{3}, count / 101}) {
      Row x = testing::random_values(count, random);
      for (std::int64_t i = 0; i < outliers; ++i)
        x[static_cast<std::size_t>(i * 97 % count)] = i % 2 == 0 ? 5000.0f : -7000.0f;
      const Quantized found = quantized(x);
      const RefSplitRow expected = ref_split_outliers(x);
      std::vector<std::int32_t> places;
      for (std::size_t i = 0; i < x.size(); ++i)
        if (expected.outliers[i] != 0) places.push_back(static_cast<std::int32_t>(i));
      EXPECT_EQ(found.places, places) << count << " values, " << outliers << " large";
      const RefQuantizedRow regular = ref_quantize_row(expected.regular);
      EXPECT_EQ(found.codes, regular.codes) << count << " values, " << outliers << " large";
      EXPECT_FLOAT_EQ(found.scale, regular.scale);
    }
  }
}

/// 400 values, all ±1 but a few.
Row ones_but(std::initializer_list<std::pair<std::size_t, float>> values) {
  Row x(400, 1.0f);
  for (std::size_t i = 0; i < x.size(); i += 2) x[i] = -1.0f;
  for (const auto& [place, value] : values) x[place] = value;
  return x;
}

TEST(Outliers, AreThoseBeyondSevenTimesTheRoot) {
  // The root of the mean square is sqrt((399 + v²) / 400), so |v| > 7.463 is beyond.
  EXPECT_TRUE(quantized(ones_but({{130, -7.4f}})).places.empty());
  EXPECT_EQ(quantized(ones_but({{130, -7.4f}})).codes[130], -127);
  EXPECT_EQ(quantized(ones_but({{130, -7.4f}})).codes[1], 17);
  const Quantized found = quantized(ones_but({{130, -7.5f}}));
  EXPECT_EQ(found.places, (std::vector<std::int32_t>{130}));
  EXPECT_EQ(found.codes[130], 0);
  EXPECT_EQ(found.codes[1], 127);
  EXPECT_EQ(found.scale, 1.0f / 127.0f);
}

TEST(Outliers, LargeOnesDoNotHideSmallerOnes) {
  // The root is 50 with the thousand, 1.07 or 1.06 without it.
  EXPECT_EQ(quantized(ones_but({{9, 1000.0f}, {250, -8.0f}})).places, (std::vector<std::int32_t>{9, 250}));
  EXPECT_EQ(quantized(ones_but({{9, 1000.0f}, {250, -7.0f}})).places, (std::vector<std::int32_t>{9}));
}

TEST(Outliers, RowsOfOneValueOrNoneHaveNone) {
  Row x(1000);
  EXPECT_TRUE(quantized(x).places.empty());
  EXPECT_EQ(quantized(x).scale, 0.0f);
  x[77] = -3.0f;
  EXPECT_TRUE(quantized(x).places.empty());
  EXPECT_EQ(quantized(x).codes[77], -127);
  x[5] = std::numeric_limits<float>::min() / 100;  // too small to scale by
  EXPECT_TRUE(quantized(x).places.empty());
}

TEST(Outliers, LeaveARoundingErrorThatIsBounded) {
  std::mt19937 random(4);
  std::int64_t separated = 0;
  for (int row = 0; row < 200; ++row) {
    // Powers of normal numbers, from those themselves to such as fill a row with values of every size.
    Row x = testing::random_values(896, random);
    for (float& value : x)
      value = std::copysign(std::pow(std::fabs(value), 1.0f + static_cast<float>(row) / 25), value);
    const Quantized found = quantized(x);
    separated += found.places.empty() ? 0 : 1;
    double error = 0, power = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      power += double{x[i]} * double{x[i]};
      const bool outlier = std::find(found.places.begin(), found.places.end(), i) != found.places.end();
      const double restored = outlier ? double{x[i]} : static_cast<double>(found.codes[i]) * double{found.scale};
      error += (restored - double{x[i]}) * (restored - double{x[i]});
    }
    // A twelfth of the square of a code is the mean of even rounding errors; a quarter is the most there can be.
    EXPECT_LT(error, 3 * 2.6e-4 * power) << row;
    EXPECT_LE(found.places.size(), 2U * 896 / 49) << row;
  }
  EXPECT_GT(separated, 50);
}

}  // namespace
}  // namespace retort::runtime
