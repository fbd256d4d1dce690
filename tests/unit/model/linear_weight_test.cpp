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

TEST(LinearWeight, MultipliesCodesWithTheScaleOfRowAndGroup) {
  const std::vector<float> scales = {.5F, 2, 4, .25F};
  const std::vector<std::int8_t> codes = {1, -2, 3, -8, 7, 0, -1, 5};
  const std::vector<std::int32_t> packed = pack_int4(codes, 2, 4);
  const StoredTensor words = view_of("w_packed", DataType::i32, {2, 1}, packed);
  const StoredTensor groups = view_of("w_scale", DataType::f32, {2, 2}, scales);
  EXPECT_EQ(to_f32(LinearWeight{&words, &groups, 4, 2, {2, 4}}),
            (std::vector<float>{.5F, -1, 6, -16, 28, 0, -.25F, 1.25F}));

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
