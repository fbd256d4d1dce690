#include "exchange/gguf_source.h"

#include <cstdint>
#include <set>
#include <stdexcept>

#include "exchange/gguf_config.h"
#include "exchange/gguf_names.h"
#include "exchange/head_order.h"
#include "model/gguf_lookup.h"
#include "model/model_folder.h"

namespace retort::exchange {
namespace {

std::string text_of(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? "," : "") + std::to_string(shape[i]);
  return text + "]";
}

void check_tensors(const model::GgufFile& file, const model::ModelConfig& config) {
  std::set<std::string> known = {rope_factors_tensor};
  for (const auto& [name, shape] : model::tensor_shapes(config)) {
    const std::string theirs = gguf_tensor_name(config, name);
    const auto refuse = [&, expected = text_of(shape)](const std::string& found) {
      throw std::invalid_argument(file.origin() + ": tensor '" + theirs + "': expected " + expected +
                                  ", as its keys ask, found " + found);
    };
    const model::GgufTensor* tensor = file.find(theirs);
    if (tensor == nullptr) refuse("none");
    if (tensor->shape != shape) refuse(text_of(tensor->shape));
    if (shape.size() == 1 && model::block_elements(tensor->type) > 1)
      refuse(std::string("a vector of ") + model::name_of(tensor->type));
    known.insert(theirs);
  }
  for (const model::GgufTensor& tensor : file.tensors())
    if (!known.contains(tensor.name))
      throw std::invalid_argument(file.origin() + ": tensor '" + tensor.name + "': expected only tensors of a " +
                                  config.architecture + ", found one that it lacks");
}

}  // namespace

void require_model(const model::GgufFile& file) {
  const model::GgufLookup keys(file.metadata(), file.origin());
  const auto parts = keys.find_integer("split.count", 0, UINT16_MAX);
  if (parts && *parts > 1) {
    const std::int64_t part = keys.find_integer("split.no", 0, UINT16_MAX).value_or(0) + 1;
    throw std::invalid_argument(file.origin() + ": expected a whole model, found file " + std::to_string(part) +
                                " of " + std::to_string(*parts) +
                                " of a split one; merge it first (llama-gguf-split --merge FIRST_FILE MERGED)");
  }
  const std::string type = keys.find_string("general.type").value_or("model");
  if (type != "model")
    keys.refuse("general.type", "\"model\"",
                type == "adapter" ? "\"adapter\": a LoRA adapter has no model of its own; merge it into its base first "
                                    "(llama-export-lora)"
                                  : "\"" + type + "\", which is no language model");
  if (file.tensors().empty())
    throw std::invalid_argument(file.origin() +
                                ": expected a model, found keys without a tensor (a file with a vocabulary alone)");
}

GgufSource::GgufSource(const model::GgufFile& file)
    : file_(&file), config_((require_model(file), config_from_gguf(file))) {
  check_tensors(file, config_);
}

const model::GgufTensor& GgufSource::tensor(const std::string& name) const {
  const model::GgufTensor* found = file_->find(gguf_tensor_name(config_, name));
  if (found == nullptr) throw std::invalid_argument(file_->origin() + ": no tensor for '" + name + "'");
  return *found;
}

model::DataType GgufSource::float_type(const std::string& name) const {
  switch (tensor(name).type) {
    case model::GgmlType::f16:
      return model::DataType::f16;
    case model::GgmlType::bf16:
      return model::DataType::bf16;
    default:
      return model::DataType::f32;
  }
}

void GgufSource::read(const std::string& name, std::int64_t first, std::int64_t rows, std::span<float> values) const {
  const model::GgufTensor& stored = tensor(name);
  const auto columns = static_cast<std::size_t>(extent_of(stored.shape).columns);
  const std::size_t row_bytes = model::ggml_bytes(stored.type, columns);
  const std::byte* begin = stored.data + static_cast<std::size_t>(first) * row_bytes;
  if (interleaves_heads(config_) && has_rotated_rows(name)) {
    for (std::int64_t row = 0; row < rows; ++row) {
      const auto from = static_cast<std::size_t>(interleaved_row(first + row, config_.head_dim));
      model::dequantise(stored.type, stored.data + from * row_bytes,
                        values.subspan(static_cast<std::size_t>(row) * columns, columns));
    }
  } else {
    const std::span<float> read = values.first(static_cast<std::size_t>(rows) * columns);
    model::dequantise(stored.type, begin, read);
    if (const float offset = gguf_offset(config_, name); offset != 0)
      for (float& value : read) value -= offset;
  }
  file_->release(begin, static_cast<std::size_t>(rows) * row_bytes);
}

}  // namespace retort::exchange
