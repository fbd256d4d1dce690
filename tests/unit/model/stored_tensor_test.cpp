// Conversions to f32 against values known from the formats' definitions.
#include "model/stored_tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace retort::model {
namespace {

template <typename Element>
StoredTensor view(const std::vector<Element>& values, DataType type) {
  return {"t", type, {static_cast<std::int64_t>(values.size())}, reinterpret_cast<const std::byte*>(values.data())};
}

TEST(StoredTensor, CountsElementsAndBytes) {
  const StoredTensor tensor{"t", DataType::bf16, {3, 4}, nullptr};
  EXPECT_EQ(tensor.elements(), 12);
  EXPECT_EQ(tensor.bytes(), 24U);
  EXPECT_EQ((StoredTensor{"scalar", DataType::i64, {}, nullptr}.bytes()), 8U);
  EXPECT_EQ((StoredTensor{"empty", DataType::f32, {2, 0}, nullptr}.bytes()), 0U);
}

TEST(StoredTensor, ConvertsF16) {
  // 1, -2, greatest normal, least normal, least subnormal, -0, infinity, and 1/3 rounded (IEEE 754 binary16).
  const std::vector<std::uint16_t> bits = {0x3C00, 0xC000, 0x7BFF, 0x0400, 0x0001, 0x8000, 0x7C00, 0x3555, 0x7E00};
  const auto values = to_f32(view(bits, DataType::f16));
  EXPECT_EQ(values[0], 1.0F);
  EXPECT_EQ(values[1], -2.0F);
  EXPECT_EQ(values[2], 65504.0F);
  EXPECT_EQ(values[3], 0x1p-14F);
  EXPECT_EQ(values[4], 0x1p-24F);
  EXPECT_TRUE(values[5] == 0.0F && std::signbit(values[5]));
  EXPECT_EQ(values[6], std::numeric_limits<float>::infinity());
  EXPECT_EQ(values[7], 0.333251953125F);
  EXPECT_TRUE(std::isnan(values[8]));
}

TEST(StoredTensor, ConvertsBf16) {
  const std::vector<std::uint16_t> bits = {0x3F80, 0xC049, 0x7F80, 0x0000};
  const auto values = to_f32(view(bits, DataType::bf16));
  EXPECT_EQ(values, (std::vector<float>{1.0F, -3.140625F, std::numeric_limits<float>::infinity(), 0.0F}));
}

TEST(StoredTensor, RefusesIntegers) {
  const std::vector<std::int8_t> codes = {1, 2};
  EXPECT_THROW(to_f32(view(codes, DataType::i8)), std::invalid_argument);
}

}  // namespace
}  // namespace retort::model
