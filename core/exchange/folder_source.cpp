#include "exchange/folder_source.h"

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
void read_floats(const model::StoredTensor& tensor, std::size_t first, std::span<float> values) {
  model::dequantise(ggml_type_of(tensor.type), tensor.data + first * size_of(tensor.type), values);
}

/// A row of `linear` as a weight of its own: what model::codes_of() is to unpack.
std::vector<std::int8_t> codes_of_row(const model::LinearWeight& linear, std::int64_t row) {
  model::StoredTensor view = *linear.weight;
  view.data += static_cast<std::size_t>(row) * (view.bytes() / static_cast<std::size_t>(view.shape.at(0)));
  view.shape[0] = 1;
  model::LinearWeight one = linear;
  one.weight = &view;
  one.shape[0] = 1;
  return model::codes_of(one);
}

CodedRow coded_row(const model::LinearWeight& linear, std::int64_t row) {
  CodedRow coded;
  coded.bits = linear.bits;
  coded.codes = codes_of_row(linear, row);
  coded.group_size = linear.group_size > 0 ? linear.group_size : linear.shape[1];
  coded.scales.resize(static_cast<std::size_t>((linear.shape[1] + coded.group_size - 1) / coded.group_size));
  read_floats(*linear.scale, static_cast<std::size_t>(row) * coded.scales.size(), coded.scales);
  return coded;
}

}  // namespace

FolderSource::FolderSource(const model::ModelFolder& folder) : folder_(&folder) {
  for (const auto& [name, shape] : model::tensor_shapes(folder.config())) {
    if (shape.size() != 2) continue;
    const model::LinearWeight linear = folder.linear(name.substr(0, name.size() - (sizeof(weight_suffix) - 1)));
    if (linear.quantized()) quantised_[name] = linear;
  }
}

const model::LinearWeight* FolderSource::quantised(const std::string& name) const {
  const auto found = quantised_.find(name);
  return found == quantised_.end() ? nullptr : &found->second;
}

model::DataType FolderSource::float_type(const std::string& name) const {
  return quantised(name) != nullptr ? model::DataType::f32 : folder_->tensor(name).type;
}

void FolderSource::read(const std::string& name, std::int64_t first, std::int64_t rows, std::span<float> values) const {
  if (const model::LinearWeight* linear = quantised(name)) {
    const auto columns = static_cast<std::size_t>(linear->shape[1]);
    for (std::int64_t row = 0; row < rows; ++row) {
      const CodedRow coded = coded_row(*linear, first + row);
      float* out = values.data() + static_cast<std::size_t>(row) * columns;
      for (std::size_t i = 0; i < columns; ++i) {
        const std::size_t group = i / static_cast<std::size_t>(coded.group_size);
        const int zero = model::zero_point(*linear, first + row, static_cast<std::int64_t>(group));
        out[i] = static_cast<float>(coded.codes[i] - zero) * coded.scales[group];
      }
    }
    const std::size_t row_bytes = linear->weight->bytes() / static_cast<std::size_t>(linear->weight->shape.at(0));
    folder_->release(*linear->weight, static_cast<std::size_t>(first) * row_bytes,
                     static_cast<std::size_t>(rows) * row_bytes);
    return;
  }
  const model::StoredTensor& tensor = folder_->tensor(name);
  const auto columns = static_cast<std::size_t>(extent_of(tensor.shape).columns);
  const std::size_t begin = static_cast<std::size_t>(first) * columns, count = static_cast<std::size_t>(rows) * columns;
  read_floats(tensor, begin, values.first(count));
  folder_->release(tensor, begin * size_of(tensor.type), count * size_of(tensor.type));
}

std::optional<CodedRow> FolderSource::read_codes(const std::string& name, std::int64_t row) const {
  const model::LinearWeight* linear = quantised(name);
  if (linear == nullptr || linear->zero_point != nullptr) return std::nullopt;
  return coded_row(*linear, row);
}

}  // namespace retort::exchange
