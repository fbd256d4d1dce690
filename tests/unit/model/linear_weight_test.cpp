// Packed int4 codes against numbers worked out by hand from the layout, and back.
#include "model/linear_weight.h"

#include "fixtures.h"

namespace retort::model {
namespace {

using tests::contains;
using tests::error_of;

template <typename T>
StoredTensor view_of(const std::string& name, DataType type, std::vector<std::int64_t> shape,
                     const std::vector<T>& data) {
  return {name, type, std::move(shape), reinterpret_cast<const std::byte*>(data.data())};
}

TEST(PackInt4, PutsEightCodesIntoAnInt32LowestBitsFirst) {
  // 0x8 is code 0; a row of 10 takes two int32s, the second with 6 unused halves.
  const std::vector<std::int8_t> codes = {-8, -7, -6, -5, -4, -3, -2, -1, 0, 7,  //
                                          7,  0,  0,  0,  0,  0,  0,  0,  0, -8};
  const std::vector<std::int32_t> packed = pack_int4(codes, 2, 10);
  const std::vector<std::uint32_t> bits(packed.begin(), packed.end());
  EXPECT_EQ(bits, (std::vector<std::uint32_t>{0x76543210U, 0xF8U, 0x8888888FU, 0x08U}));
}

TEST(PackInt4, IsUndoneByCodesOf) {
  for (const std::int64_t in : {1, 7, 8, 9, 64}) {
    std::vector<std::int8_t> codes(static_cast<std::size_t>(3 * in));
    for (std::size_t i = 0; i < codes.size(); ++i)
      codes[i] = static_cast<std::int8_t>(static_cast<int>(i * 7 % 16) - 8);
    const std::vector<std::int32_t> packed = pack_int4(codes, 3, in);
    const StoredTensor weight = view_of("w", DataType::i32, {3, packed_int4_columns(in)}, packed);
    EXPECT_EQ(codes_of({&weight, nullptr, 4, in, {3, in}}), codes) << in;
  }
  EXPECT_TRUE(pack_int4({}, 0, 8).empty());
}

TEST(PackInt4, RefusesWhatDoesNotFit) {
  const std::vector<std::int8_t> codes = {0, 8, 0, 0};
  EXPECT_TRUE(contains(error_of([&] { pack_int4(codes, 1, 4); }), "code 1: expected -8 to 7, found 8"));
  EXPECT_TRUE(contains(error_of([&] { pack_int4(codes, 2, 4); }), "expected 2 x 4 codes, found 4"));
}

TEST(PackZeroPoints, PutsEightRowsIntoAnInt32LowestBitsFirst) {
  // compressed-tensors' pack_to_int32(zero_point, 4, packed_dim=0) of [10,2]: columns stay, rows are packed.
  std::vector<std::int8_t> zeros;
  for (int row = 0; row < 10; ++row) {
    zeros.push_back(static_cast<std::int8_t>(row < 8 ? row - 8 : 7));
    zeros.push_back(static_cast<std::int8_t>(0));
  }
  const std::vector<std::int32_t> packed = pack_zero_points(zeros, 10, 2);
  EXPECT_EQ(std::vector<std::uint32_t>(packed.begin(), packed.end()),
            (std::vector<std::uint32_t>{0x76543210U, 0x88888888U, 0xFFU, 0x88U}));
  const StoredTensor words = view_of("w_zero_point", DataType::i32, {2, 2}, packed);
  LinearWeight weight{nullptr, nullptr, 4, 32, {10, 64}};
  EXPECT_TRUE(zero_points_of(weight).empty());
  EXPECT_EQ(zero_point(weight, 3, 0), 0);
  weight.zero_point = &words;
  EXPECT_EQ(zero_points_of(weight), zeros);
  EXPECT_EQ(zero_point(weight, 9, 0), 7);
  EXPECT_TRUE(
      contains(error_of([&] { pack_zero_points(zeros, 9, 2); }), "pack_zero_points: expected 9 x 2 codes, found 20"));
  zeros[4] = -9;
  EXPECT_TRUE(contains(error_of([&] { pack_zero_points(zeros, 10, 2); }), "code 4: expected -8 to 7, found -9"));
}

TEST(LinearWeight, MultipliesCodesWithTheScaleOfRowAndGroup) {
  const std::vector<float> scales = {.5F, 2, 4, .25F};
  const std::vector<std::int8_t> codes = {1, -2, 3, -8, 7, 0, -1, 5};
  const std::vector<std::int32_t> packed = pack_int4(codes, 2, 4);
  const StoredTensor words = view_of("w_packed", DataType::i32, {2, 1}, packed);
  const StoredTensor groups = view_of("w_scale", DataType::f32, {2, 2}, scales);
  EXPECT_EQ(to_f32(LinearWeight{&words, &groups, 4, 2, {2, 4}}),
            (std::vector<float>{.5F, -1, 6, -16, 28, 0, -.25F, 1.25F}));

  // Less zero points {1, −2; 0, 7}, and with a negative scale.
  const std::vector<float> signs = {-.5F, 2, 4, .25F};
  const StoredTensor negative = view_of("w_scale", DataType::f32, {2, 2}, signs);
  const std::vector<std::int32_t> packed_zeros = pack_zero_points(std::vector<std::int8_t>{1, -2, 0, 7}, 2, 2);
  const StoredTensor zeros = view_of("w_zero_point", DataType::i32, {1, 2}, packed_zeros);
  EXPECT_EQ(to_f32(LinearWeight{&words, &negative, 4, 2, {2, 4}, 0, &zeros}),
            (std::vector<float>{0, 1.5F, 10, -12, 28, 0, -2, -.5F}));

  const StoredTensor bytes = view_of("w", DataType::i8, {4, 2}, codes);
  const StoredTensor rows = view_of("w_scale", DataType::f32, {4, 1}, scales);
  EXPECT_EQ(to_f32(LinearWeight{&bytes, &rows, 8, 0, {4, 2}}),
            (std::vector<float>{.5F, -1, 6, -16, 28, 0, -.25F, 1.25F}));

  const StoredTensor floats = view_of("w", DataType::f32, {2, 2}, scales);
  EXPECT_EQ(to_f32(LinearWeight{&floats, nullptr, 0, 0, {2, 2}}), scales);
  EXPECT_TRUE(contains(error_of([&] { codes_of({&floats, nullptr, 0, 0, {2, 2}}); }), "'w': has no codes"));
}

}  // namespace
}  // namespace retort::model
