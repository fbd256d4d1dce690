// quantize.rtn: the published fixture, and numbers computed in float64 outside this project (Python, round()).
#include "rtn.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <vector>

namespace retort::golden {

namespace {

using quantize::GroupScale;

const std::vector<float> weights{-1, .3f, .5f, .8f, -.05f, .62f, -.33f, .11f};

std::vector<std::int32_t> codes_of(std::span<const float> group, std::int32_t bits, bool symmetric) {
  const GroupScale scale = quantize::group_scale(group, bits, symmetric);
  std::vector<std::int32_t> codes;
  for (const float weight : group)
    codes.push_back(quantize::code_of(static_cast<double>(weight), scale, bits, symmetric));
  return codes;
}

TEST(RtnGolden, FourBitFixture) {
  const std::vector<double> exact{-1, .3, .5, .8, -.05, .62, -.33, .11};  // .3/.12 is a tie, which f32's .3 is not
  const auto codes = [&](const GroupScale& scale, bool symmetric) {
    std::vector<std::int32_t> found;
    for (const double weight : exact) found.push_back(quantize::code_of(weight, scale, 4, symmetric));
    return found;
  };
  EXPECT_EQ(codes(quantize::scale_of_range(-1, .8, 4, true), true),
            (std::vector<std::int32_t>{-7, 2, 4, 6, 0, 4, -2, 1}));
  const GroupScale scale = quantize::scale_of_range(-1, .8, 4, false);
  EXPECT_NEAR(scale.scale, .12, 1e-15);
  EXPECT_EQ(scale.zero_point, 8);
  EXPECT_EQ(codes(scale, false), (std::vector<std::int32_t>{0, 10, 12, 15, 8, 13, 5, 9}));
  EXPECT_EQ(codes_of(weights, 4, true), (std::vector<std::int32_t>{-7, 2, 4, 6, 0, 4, -2, 1}));
  EXPECT_EQ(codes_of(weights, 4, false), (std::vector<std::int32_t>{0, 11, 12, 15, 8, 13, 5, 9}));  // f32 .3 > .3
}

TEST(RtnGolden, EightBits) {
  // 1/127; mean squared error 4.79803459607e-06, largest error .00393700787402, both of float64.
  EXPECT_EQ(codes_of(weights, 8, true), (std::vector<std::int32_t>{-127, 38, 64, 102, -6, 79, -42, 14}));
  const GroupScale scale = quantize::group_scale(weights, 8, true);
  double squares = 0, largest = 0;
  for (const float weight : weights) {
    const double error =
        std::abs(static_cast<double>(weight) -
                 quantize::restored(quantize::code_of(static_cast<double>(weight), scale, 8, true), scale));
    squares += error * error;
    largest = std::max(largest, error);
  }
  EXPECT_NEAR(squares / 8, 4.79803459607e-06, 1e-10);
  EXPECT_NEAR(largest, .00393700787402, 1e-8);
}

TEST(RtnGolden, GroupsHaveTheirOwnScale) {
  const std::span<const float> all(weights);
  EXPECT_EQ(codes_of(all.first(4), 4, true), (std::vector<std::int32_t>{-7, 2, 4, 6}));
  EXPECT_EQ(codes_of(all.subspan(4), 4, true), (std::vector<std::int32_t>{-1, 7, -4, 1}));
  EXPECT_NEAR(quantize::group_scale(all.subspan(4), 4, true).scale, .08857142857142856, 1e-8);
}

TEST(RtnGolden, ScalesRoundToBf16BeforeCodesAreChosen) {
  // 1/7 lies between the bf16 numbers .142578125 and .1435546875; .08857142857142856 between .0884 and .0889.
  EXPECT_EQ(quantize::rounded_to_bf16(quantize::group_scale(weights, 4, true)).scale, .142578125);
  EXPECT_EQ(quantize::rounded_to_bf16({.08857142857142856, 0}).scale, .08837890625);
  EXPECT_EQ(quantize::rounded_to_bf16({1.00390625, 0}).scale, 1.0);       // a tie goes to the even one
  EXPECT_EQ(quantize::rounded_to_bf16({1.01171875, 0}).scale, 1.015625);  // above it, too
  // 1.5 times the rounded scale is a tie; with the scale itself it is 1.497.
  const std::vector<float> group{1.0f, 1.5f * .142578125f};
  const GroupScale rounded = quantize::rounded_to_bf16(quantize::group_scale(group, 4, true));
  EXPECT_EQ(quantize::code_of(static_cast<double>(group[1]), rounded, 4, true), 2);
  EXPECT_EQ(quantize::code_of(1.0, rounded, 4, true), 7);
}

TEST(Rtn, TiesGoToEven) {
  // max 7 and 4 bits: scale 1.
  EXPECT_EQ(codes_of(std::vector<float>{7, .5f, 1.5f, 2.5f, -.5f, -1.5f}, 4, true),
            (std::vector<std::int32_t>{7, 0, 2, 2, 0, -2}));
}

TEST(Rtn, ErrorIsAtMostHalfAStep) {
  for (std::int32_t bits = 2; bits <= 8; ++bits)
    for (const bool symmetric : {true, false}) {
      const GroupScale scale = quantize::group_scale(weights, bits, symmetric);
      for (const float weight : weights) {
        const double error =
            std::abs(static_cast<double>(weight) -
                     quantize::restored(quantize::code_of(static_cast<double>(weight), scale, bits, symmetric), scale));
        // A rounded zero point may shift an end of the asymmetric range by half a step more.
        EXPECT_LE(error, (symmetric ? .5 : 1.0) * scale.scale * (1 + 1e-4)) << bits << " " << symmetric;
      }
    }
}

TEST(Rtn, ZerosAndTinyWeightsHaveAPositiveScale) {
  EXPECT_EQ(codes_of(std::vector<float>{0, 0}, 8, true), (std::vector<std::int32_t>{0, 0}));
  EXPECT_GT(quantize::group_scale(std::vector<float>{0, 0}, 8, false).scale, 0);
  EXPECT_GT(static_cast<float>(quantize::group_scale(std::vector<float>{1e-45f}, 8, true).scale), 0.0f);
  EXPECT_THROW(quantize::group_scale(std::vector<float>{1, INFINITY}, 8, true), std::invalid_argument);
}

}  // namespace

}  // namespace retort::golden
