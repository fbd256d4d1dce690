// Element types of weight files and their conversion to f32.
#include "model/stored_tensor.h"

#include <cstring>
#include <stdexcept>

#include "model/half_precision.h"

namespace retort::model {
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

std::int64_t StoredTensor::elements() const {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  return count;
}

std::vector<float> to_f32(const StoredTensor& tensor) {
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
