// A borrowed, contiguous, row-major tensor in host memory, as weight files hold it. Owns nothing; no maths.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace retort::model {

enum class DataType { f32, f16, bf16, i64, i32, i8, u8 };

/// Bytes of one element.
std::size_t size_of(DataType type);
/// The safetensors spelling: "F32", "F16", "BF16", "I64", "I32", "I8", "U8".
const char* name_of(DataType type);

/// Elements in row-major order; `data` is borrowed and at least size_of(type) · elements() bytes long.
struct StoredTensor {
  std::string name;
  DataType type = DataType::f32;
  std::vector<std::int64_t> shape;
  const std::byte* data = nullptr;

  std::int64_t elements() const;
  std::size_t bytes() const { return static_cast<std::size_t>(elements()) * size_of(type); }
};

/// Copies a tensor of any floating type to f32. Throws std::invalid_argument for integer types.
std::vector<float> to_f32(const StoredTensor& tensor);

}  // namespace retort::model
