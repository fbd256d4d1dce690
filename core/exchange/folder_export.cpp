#include "exchange/folder_export.h"

#include <vector>

#include "host/base/json.h"
#include "model/gguf_blocks.h"
#include "model/model_folder.h"
#include "model/safetensors_writer.h"

namespace retort::exchange {
namespace {

const char* transformers_name(model::DataType type) {
  return type == model::DataType::bf16 ? "bfloat16" : type == model::DataType::f16 ? "float16" : "float32";
}

model::GgmlType encoding(model::DataType type) {
  return type == model::DataType::f16    ? model::GgmlType::f16
         : type == model::DataType::bf16 ? model::GgmlType::bf16
                                         : model::GgmlType::f32;
}

nlohmann::json config_json(const WeightSource& source, const FolderExportOptions& options, model::DataType type) {
  nlohmann::json json = options.config.is_null() ? model::to_json(source.config()) : options.config;
  json.erase("quantization_config");
  // As it was decided which head counts (model_folder.h).
  if (json.value("tie_word_embeddings", false) != source.config().tie_word_embeddings)
    json["tie_word_embeddings"] = source.config().tie_word_embeddings;
  json.erase("dtype");  // Transformers 5's name of the same
  json["torch_dtype"] = transformers_name(type);
  return json;
}

}  // namespace

void export_folder(const WeightSource& source, const std::filesystem::path& folder, const FolderExportOptions& options,
                   const ProgressReport& report) {
  std::vector<model::TensorDeclaration> tensors;
  std::int64_t total = 0, done = 0;
  for (const auto& [name, shape] : model::tensor_shapes(source.config())) {
    tensors.push_back({name, options.type.value_or(source.float_type(name)), shape});
    total += static_cast<std::int64_t>(tensors.back().bytes());
  }
  std::vector<float> values;
  std::vector<std::byte> encoded;
  const auto produce = [&](const model::TensorDeclaration& tensor, model::ByteSink& sink) {
    const Extent extent = extent_of(tensor.shape);
    for_each_piece(extent, 1, [&](std::int64_t first, std::int64_t rows) {
      values.resize(static_cast<std::size_t>(rows * extent.columns));
      source.read(tensor.name, first, rows, values);
      encoded.resize(values.size() * size_of(tensor.type));
      model::quantise(encoding(tensor.type), values, encoded.data());
      sink.append(encoded);
      done += static_cast<std::int64_t>(encoded.size());
      if (report) report(done, total);
    });
  };
  const model::DataType embedding_type = tensors.front().type;
  model::write_sharded_safetensors(folder, tensors, {{"format", "pt"}}, options.shard_bytes, produce);
  host::write_json(folder / "config.json", config_json(source, options, embedding_type));
}

}  // namespace retort::exchange
