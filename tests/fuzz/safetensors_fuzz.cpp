// A safetensors file, and whether its tensors make a model: every byte that a view promises is read.
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "model/model_tensors.h"
#include "model/safetensors.h"

namespace {

using namespace retort::model;

/// Sizes small enough for the fuzzer to satisfy; in is one int4 group.
ModelConfig tiny_config() {
  ModelConfig config;
  config.vocabulary_size = 2;
  config.hidden_size = config.intermediate_size = config.head_dim = 32;
  config.layers = config.heads = config.kv_heads = 1;
  config.max_positions = 8;
  return config;
}

void read_all(const SafetensorsFile& file) {
  std::vector<std::byte> copy;
  for (const StoredTensor& tensor : file.tensors()) {
    copy.resize(tensor.bytes());
    if (!copy.empty()) std::memcpy(copy.data(), tensor.data, copy.size());
    if (tensor.type == DataType::f32 || tensor.type == DataType::f16 || tensor.type == DataType::bf16) to_f32(tensor);
  }
}

void read_as_model(const SafetensorsFile& file) {
  const ModelConfig config = tiny_config();
  TensorIndex index;
  for (const StoredTensor& tensor : file.tensors()) index[tensor.name] = &tensor;
  check_tensors(config, index, {{8, 0}, {4, 32}}, "fuzz");
  for (const char* module : {"model.embed_tokens", "model.layers.0.self_attn.q_proj", "model.layers.0.mlp.down_proj"})
    to_f32(find_linear(index, module));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const SafetensorsFile file({reinterpret_cast<const std::byte*>(data), size}, "fuzz");
    read_all(file);
    read_as_model(file);
  } catch (const std::runtime_error&) {
  } catch (const std::invalid_argument&) {
  }
  return 0;
}
