// Element types of weight files and their conversion to f32.
#include "model/tensor_view.h"

#include <bit>
#include <cstring>
#include <stdexcept>

namespace retort::model {
namespace {

float from_bf16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

/// IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits.
float from_f16(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1FU;
  const std::uint32_t fraction = bits & 0x3FFU;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000U | (fraction << 13));  // infinity, NaN
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112U) << 23) | (fraction << 13));
  const float magnitude = static_cast<float>(fraction) * 0x1p-24F;  // zero, subnormal: exact in f32
  return sign != 0 ? -magnitude : magnitude;
}

}  // namespace

std::size_t size_of(DataType type) {
  switch (type) {
    case DataType::i64:
      return 8;
    case DataType::f32:
    case DataType::i32:
      return 4;
    case DataType::f16:
    case DataType::bf16:
      return 2;
    case DataType::i8:
    case DataType::u8:
      return 1;
  }
  throw std::invalid_argument("DataType: expected one of its names, found " + std::to_string(static_cast<int>(type)));
}

const char* name_of(DataType type) {
  switch (type) {
    case DataType::f32:
      return "F32";
    case DataType::f16:
      return "F16";
    case DataType::bf16:
      return "BF16";
    case DataType::i64:
      return "I64";
    case DataType::i32:
      return "I32";
    case DataType::i8:
      return "I8";
    case DataType::u8:
      return "U8";
  }
  throw std::invalid_argument("DataType: expected one of its names, found " + std::to_string(static_cast<int>(type)));
}

std::int64_t TensorView::elements() const {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  return count;
}

std::vector<float> to_f32(const TensorView& tensor) {
  const auto count = static_cast<std::size_t>(tensor.elements());
  std::vector<float> values(count);
  if (tensor.type == DataType::f32) {
    if (count > 0) std::memcpy(values.data(), tensor.data, count * sizeof(float));
    return values;
  }
  if (tensor.type != DataType::f16 && tensor.type != DataType::bf16)
    throw std::invalid_argument("tensor '" + tensor.name + "': expected a floating type (F32, F16, BF16), found " +
                                name_of(tensor.type));
  for (std::size_t i = 0; i < count; ++i) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, tensor.data + i * sizeof(bits), sizeof(bits));
    values[i] = tensor.type == DataType::f16 ? from_f16(bits) : from_bf16(bits);
  }
  return values;
}

}  // namespace retort::model
