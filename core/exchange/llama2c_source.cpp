#include "exchange/llama2c_source.h"

#include <cstring>

#include "exchange/head_order.h"

namespace retort::exchange {

model::DataType Llama2cSource::float_type(const std::string&) const {
  return model::DataType::f32;
}

void Llama2cSource::read(const std::string& name, std::int64_t first, std::int64_t rows,
                         std::span<float> values) const {
  const model::Llama2cTensor& tensor = file_->tensor(name);
  const std::size_t row_bytes = static_cast<std::size_t>(extent_of(tensor.shape).columns) * sizeof(float);
  const bool rotated = has_rotated_rows(name);
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t from = rotated ? interleaved_row(first + row, config().head_dim) : first + row;
    std::memcpy(reinterpret_cast<std::byte*>(values.data()) + static_cast<std::size_t>(row) * row_bytes,
                tensor.data + static_cast<std::size_t>(from) * row_bytes, row_bytes);
  }
  file_->release(tensor.data + static_cast<std::size_t>(first) * row_bytes, static_cast<std::size_t>(rows) * row_bytes);
}

}  // namespace retort::exchange
