#include "exchange/folder_source.h"

#include <algorithm>
#include <cstring>

#include "model/gguf_blocks.h"

namespace retort::exchange {
namespace {

constexpr char weight_suffix[] = ".weight";

model::GgmlType ggml_type_of(model::DataType type) {
  return type == model::DataType::f16    ? model::GgmlType::f16
         : type == model::DataType::bf16 ? model::GgmlType::bf16
                                         : model::GgmlType::f32;
}

/// Elements [first, first + values.size()) of a float tensor.
void read_floats(const model::TensorView& tensor, std::size_t first, std::span<float> values) {
  model::dequantise(ggml_type_of(tensor.type), tensor.data + first * size_of(tensor.type), values);
}

model::LinearWeight linear_of(const model::ModelFolder& folder, const std::string& name) {
  return folder.linear(name.substr(0, name.size() - (sizeof(weight_suffix) - 1)));
}

bool is_quantised(const model::ModelFolder& folder, const std::string& name) {
  return folder.tensor(name).type == model::DataType::i8;
}

}  // namespace

model::DataType FolderSource::float_type(const std::string& name) const {
  return is_quantised(*folder_, name) ? model::DataType::f32 : folder_->tensor(name).type;
}

void FolderSource::read(const std::string& name, std::int64_t first, std::int64_t rows, std::span<float> values) const {
  const model::TensorView& tensor = folder_->tensor(name);
  const auto columns = static_cast<std::size_t>(extent_of(tensor.shape).columns);
  const std::size_t begin = static_cast<std::size_t>(first) * columns, count = static_cast<std::size_t>(rows) * columns;
  if (is_quantised(*folder_, name)) {
    for (std::int64_t row = 0; row < rows; ++row) {
      const CodedRow coded = *read_codes(name, first + row);
      float* out = values.data() + static_cast<std::size_t>(row) * columns;
      for (std::size_t i = 0; i < columns; ++i) out[i] = static_cast<float>(coded.codes[i]) * coded.scales[0];
    }
  } else {
    read_floats(tensor, begin, values.first(count));
  }
  folder_->release(tensor, begin * size_of(tensor.type), count * size_of(tensor.type));
}

std::optional<CodedRow> FolderSource::read_codes(const std::string& name, std::int64_t row) const {
  if (!is_quantised(*folder_, name)) return std::nullopt;
  const model::LinearWeight linear = linear_of(*folder_, name);
  CodedRow coded;
  coded.group_size = linear.weight->shape.at(1);
  coded.codes.resize(static_cast<std::size_t>(coded.group_size));
  std::memcpy(coded.codes.data(), linear.weight->data + static_cast<std::size_t>(row) * coded.codes.size(),
              coded.codes.size());
  coded.scales.resize(1);
  read_floats(*linear.scale, static_cast<std::size_t>(row), coded.scales);
  return coded;
}

}  // namespace retort::exchange
