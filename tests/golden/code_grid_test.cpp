// Scales and codes of all quantizers: published fixtures, and numbers computed in float64 outside this project.
#include "code_grid.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <vector>

namespace retort::golden {

namespace {

using quantize::CodedRow;
using quantize::CodeGrid;
using quantize::GroupScale;
using quantize::Range;

const std::vector<float> weights{-1, .3f, .5f, .8f, -.05f, .62f, -.33f, .11f};

CodeGrid grid_of(std::int32_t bits, bool symmetric, Range range = Range::absolute_max, std::int64_t search_steps = 0) {
  CodeGrid grid;
  grid.bits = bits;
  grid.symmetric = symmetric;
  grid.range = range;
  grid.search_steps = search_steps;
  return grid;
}

std::vector<std::int32_t> codes_of(std::span<const float> group, const CodeGrid& grid) {
  CodedRow row(static_cast<std::int64_t>(group.size()), grid);
  quantize::round_row(group, grid, {}, row);
  return row.codes;
}

double weighted_error(std::span<const float> group, const CodeGrid& grid, std::span<const float> importance = {}) {
  CodedRow row(static_cast<std::int64_t>(group.size()), grid);
  quantize::round_row(group, grid, importance, row);
  double sum = 0;
  for (std::size_t i = 0; i < group.size(); ++i) {
    const double error = static_cast<double>(group[i]) - quantize::restored(row.codes[i], row.scales[0]);
    sum += error * error * (importance.empty() ? 1.0 : static_cast<double>(importance[i]));
  }
  return sum;
}

TEST(RtnGolden, FourBitFixture) {
  const std::vector<double> exact{-1, .3, .5, .8, -.05, .62, -.33, .11};  // .3/.12 is a tie, which f32's .3 is not
  const auto codes = [&](const GroupScale& scale, const CodeGrid& grid) {
    std::vector<std::int32_t> found;
    for (const double weight : exact) found.push_back(quantize::code_of(weight, scale, grid));
    return found;
  };
  const CodeGrid symmetric = grid_of(4, true), asymmetric = grid_of(4, false);
  EXPECT_EQ(codes(quantize::scale_of_range(-1, .8, symmetric), symmetric),
            (std::vector<std::int32_t>{-7, 2, 4, 6, 0, 4, -2, 1}));
  const GroupScale scale = quantize::scale_of_range(-1, .8, asymmetric);
  EXPECT_NEAR(scale.scale, .12, 1e-15);
  EXPECT_EQ(scale.zero_point, 8);
  EXPECT_EQ(codes(scale, asymmetric), (std::vector<std::int32_t>{0, 10, 12, 15, 8, 13, 5, 9}));
  EXPECT_EQ(codes_of(weights, symmetric), (std::vector<std::int32_t>{-7, 2, 4, 6, 0, 4, -2, 1}));
  EXPECT_EQ(codes_of(weights, asymmetric), (std::vector<std::int32_t>{0, 11, 12, 15, 8, 13, 5, 9}));  // f32 .3 > .3
}

// Goldens "rtn_int4_signed_full_range", "int4_symmetric_absmax_over_7.5" (intel/auto-round@b9f3d0079
// data_type/int.py:148-160, ggml's Q4_0; compressed-tensors calculate_qparams).
TEST(RtnGolden, ThreeConventionsOfASymmetricScale) {
  const CodeGrid full = grid_of(4, true, Range::full), half_step = grid_of(4, true, Range::half_step);
  EXPECT_EQ(quantize::group_scale(weights, full).scale, .125);
  EXPECT_EQ(codes_of(weights, full), (std::vector<std::int32_t>{-8, 2, 4, 6, 0, 5, -3, 1}));
  EXPECT_NEAR(weighted_error(weights, full) / 8, .001221875, 1e-8);
  EXPECT_NEAR(quantize::group_scale(weights, half_step).scale, .133333333333, 1e-12);
  EXPECT_EQ(codes_of(weights, half_step), (std::vector<std::int32_t>{-8, 2, 4, 6, 0, 5, -2, 1}));
  EXPECT_NEAR(weighted_error(weights, half_step) / 8, .0019875, 1e-8);
  EXPECT_NEAR(weighted_error(weights, grid_of(4, true)) / 8, .002058928571, 1e-8);
  std::vector<float> negated = weights;
  for (float& weight : negated) weight = -weight;
  EXPECT_EQ(quantize::group_scale(negated, full).scale, -.125);
  EXPECT_EQ(codes_of(negated, full), (std::vector<std::int32_t>{-8, 2, 4, 6, 0, 5, -3, 1}));
  EXPECT_NEAR(weighted_error(negated, full) / 8, .001221875, 1e-8);
}

// Golden "int4_scale_search_importance" (int.py:28-88; the optimum by a dense grid of 400,002 scales).
TEST(RtnGolden, SearchFindsTheWeightedOptimum) {
  const std::vector<float> importance{1, 4, 1, 9, 1, 1, 2, 1};
  EXPECT_NEAR(weighted_error(weights, grid_of(4, true, Range::full), importance), .0393, 1e-6);
  const CodeGrid searched = grid_of(4, true, Range::full, 100);
  EXPECT_NEAR(weighted_error(weights, searched, importance), .009191961415, 1e-8);
  EXPECT_NEAR(quantize::group_scale(weights, searched, importance).scale, .160160771704, 1e-8);
  CodedRow row(8, searched);
  quantize::round_row(weights, searched, importance, row);
  EXPECT_EQ(row.codes, (std::vector<std::int32_t>{-6, 2, 3, 5, 0, 4, -2, 1}));
}

TEST(Rtn, SearchIsNeverWorseThanTheRangesOwnScale) {
  for (std::int32_t bits = 2; bits <= 8; ++bits)
    for (const bool symmetric : {true, false})
      for (const Range range : {Range::absolute_max, Range::half_step, Range::full}) {
        CodeGrid grid = grid_of(bits, symmetric, range);
        grid.group_size = 8;
        grid.bf16_scales = true;
        const double plain = weighted_error(weights, grid);
        grid.search_steps = 20;
        EXPECT_LE(weighted_error(weights, grid), plain) << bits << " " << symmetric;
        const double scale = quantize::group_scale(weights, grid).scale;
        EXPECT_EQ(quantize::rounded_to_bf16(scale), scale);  // what is chosen is what is stored
      }
}

TEST(RtnGolden, EightBits) {
  // 1/127; mean squared error 4.79803459607e-06, largest error .00393700787402, both of float64.
  EXPECT_EQ(codes_of(weights, grid_of(8, true)), (std::vector<std::int32_t>{-127, 38, 64, 102, -6, 79, -42, 14}));
  const GroupScale scale = quantize::group_scale(weights, grid_of(8, true));
  double squares = 0, largest = 0;
  for (const float weight : weights) {
    const double error =
        std::abs(static_cast<double>(weight) -
                 quantize::restored(quantize::code_of(static_cast<double>(weight), scale, grid_of(8, true)), scale));
    squares += error * error;
    largest = std::max(largest, error);
  }
  EXPECT_NEAR(squares / 8, 4.79803459607e-06, 1e-10);
  EXPECT_NEAR(largest, .00393700787402, 1e-8);
}

TEST(RtnGolden, GroupsHaveTheirOwnScale) {
  const std::span<const float> all(weights);
  EXPECT_EQ(codes_of(all.first(4), grid_of(4, true)), (std::vector<std::int32_t>{-7, 2, 4, 6}));
  EXPECT_EQ(codes_of(all.subspan(4), grid_of(4, true)), (std::vector<std::int32_t>{-1, 7, -4, 1}));
  EXPECT_NEAR(quantize::group_scale(all.subspan(4), grid_of(4, true)).scale, .08857142857142856, 1e-8);
}

TEST(RtnGolden, ScalesRoundToBf16BeforeCodesAreChosen) {
  // 1/7 lies between the bf16 numbers .142578125 and .1435546875; .08857142857142856 between .0884 and .0889.
  CodeGrid grid = grid_of(4, true);
  grid.bf16_scales = true;
  EXPECT_NE(quantize::group_scale(weights, grid).scale, .142578125);  // one scale a row stays f32
  grid.group_size = 8;
  EXPECT_EQ(quantize::group_scale(weights, grid).scale, .142578125);
  EXPECT_EQ(quantize::rounded_to_bf16(.08857142857142856), .08837890625);
  EXPECT_EQ(quantize::rounded_to_bf16(-.08857142857142856), -.08837890625);
  EXPECT_EQ(quantize::rounded_to_bf16(1.00390625), 1.0);       // a tie goes to the even one
  EXPECT_EQ(quantize::rounded_to_bf16(1.01171875), 1.015625);  // above it, too
  // 1.5 times the rounded scale is a tie; with the scale itself it is 1.497.
  const std::vector<float> group{1.0f, 1.5f * .142578125f};
  const GroupScale rounded = quantize::group_scale(group, grid);
  EXPECT_EQ(quantize::code_of(static_cast<double>(group[1]), rounded, grid), 2);
  EXPECT_EQ(quantize::code_of(1.0, rounded, grid), 7);
}

TEST(Rtn, TiesGoToEven) {
  // max 7 and 4 bits: scale 1.
  EXPECT_EQ(codes_of(std::vector<float>{7, .5f, 1.5f, 2.5f, -.5f, -1.5f}, grid_of(4, true)),
            (std::vector<std::int32_t>{7, 0, 2, 2, 0, -2}));
}

TEST(Rtn, ErrorIsAtMostHalfAStep) {
  for (std::int32_t bits = 2; bits <= 8; ++bits)
    for (const bool symmetric : {true, false}) {
      const GroupScale scale = quantize::group_scale(weights, grid_of(bits, symmetric));
      for (const float weight : weights) {
        const double error = std::abs(
            static_cast<double>(weight) -
            quantize::restored(quantize::code_of(static_cast<double>(weight), scale, grid_of(bits, symmetric)), scale));
        // A rounded zero point may shift an end of the asymmetric range by half a step more.
        EXPECT_LE(error, (symmetric ? .5 : 1.0) * scale.scale * (1 + 1e-4)) << bits << " " << symmetric;
      }
    }
}

TEST(Rtn, ZerosAndTinyWeightsHaveAPositiveScale) {
  EXPECT_EQ(codes_of(std::vector<float>{0, 0}, grid_of(8, true)), (std::vector<std::int32_t>{0, 0}));
  EXPECT_GT(quantize::group_scale(std::vector<float>{0, 0}, grid_of(8, false)).scale, 0);
  EXPECT_GT(static_cast<float>(quantize::group_scale(std::vector<float>{1e-45f}, grid_of(8, true)).scale), 0.0f);
  EXPECT_THROW(quantize::group_scale(std::vector<float>{1, INFINITY}, grid_of(8, true)), std::invalid_argument);
}

}  // namespace

}  // namespace retort::golden
