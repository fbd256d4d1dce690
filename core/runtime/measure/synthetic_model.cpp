// See synthetic_model.h.
#include "runtime/measure/synthetic_model.h"

#include <array>
#include <cmath>
#include <cstring>
#include <deque>
#include <random>
#include <stdexcept>

#include "model/model_folder.h"
#include "model/quantization_config.h"
#include "runtime/kernels/bfloat16.h"

namespace retort::runtime {
namespace {

constexpr std::int64_t kGroup = 64;

struct Shape {
  const char* name;
  const char* architecture;
  std::int64_t vocabulary, hidden, intermediate, layers, heads, kv_heads, head_dim, positions;
  double theta, epsilon;
  bool tied, bias, norm;
};

// From the config.json of Qwen/Qwen2.5-0.5B and -1.5B, Qwen/Qwen3-0.6B, HuggingFaceTB/SmolLM2-135M and -360M,
// TinyLlama/TinyLlama-1.1B-Chat-v1.0.
constexpr std::array<Shape, 6> kShapes{{
    {"qwen2.5-0.5b", "Qwen2ForCausalLM", 151936, 896, 4864, 24, 14, 2, 64, 32768, 1e6, 1e-6, true, true, false},
    {"qwen2.5-1.5b", "Qwen2ForCausalLM", 151936, 1536, 8960, 28, 12, 2, 128, 131072, 1e6, 1e-6, true, true, false},
    {"qwen3-0.6b", "Qwen3ForCausalLM", 151936, 1024, 3072, 28, 16, 8, 128, 40960, 1e6, 1e-6, true, false, true},
    {"smollm2-135m", "LlamaForCausalLM", 49152, 576, 1536, 30, 9, 3, 64, 8192, 1e5, 1e-5, true, false, false},
    {"smollm2-360m", "LlamaForCausalLM", 49152, 960, 2560, 32, 15, 5, 64, 8192, 1e5, 1e-5, true, false, false},
    {"tinyllama-1.1b", "LlamaForCausalLM", 32000, 2048, 5632, 22, 32, 4, 64, 2048, 1e4, 1e-5, false, false, false},
}};

/// Fills tensors with noise and keeps them until the folder is written.
class Noise {
 public:
  explicit Noise(std::uint64_t seed) : random_(seed) {
    std::normal_distribution<float> normal;
    for (float& value : normal_) value = normal(random_);
  }

  void add_bf16(const std::string& name, std::vector<std::int64_t> shape, float mean, float deviation) {
    std::array<std::uint16_t, kTable> table{};
    for (std::size_t i = 0; i < kTable; ++i) table[i] = to_bfloat16(mean + deviation * normal_[i]);
    auto* values = own<std::uint16_t>(name, model::DataType::bf16, std::move(shape));
    fill(values, [&table](std::uint64_t bits) { return table[bits % kTable]; });
  }
  void add_f32(const std::string& name, std::vector<std::int64_t> shape, float value) {
    auto* values = own<float>(name, model::DataType::f32, std::move(shape));
    fill(values, [value](std::uint64_t bits) { return value * (0.75f + 0.5f * static_cast<float>(bits) / 65536.0f); });
  }
  void add_bf16_scales(const std::string& name, std::vector<std::int64_t> shape, float value) {
    auto* values = own<std::uint16_t>(name, model::DataType::bf16, std::move(shape));
    fill(values, [value](std::uint64_t bits) {
      return to_bfloat16(value * (0.75f + 0.5f * static_cast<float>(bits) / 65536.0f));
    });
  }
  /// Any byte but −128, which symmetric quantisation never gives.
  void add_int8(const std::string& name, std::vector<std::int64_t> shape) {
    auto* codes = own<std::int8_t>(name, model::DataType::i8, std::move(shape));
    fill(codes, [](std::uint64_t bits) { return static_cast<std::int8_t>(static_cast<int>(bits % 255) - 127); });
  }
  /// Packed int4: every pattern of bits is eight codes.
  void add_int4(const std::string& name, std::vector<std::int64_t> shape) {
    auto* packed = own<std::int32_t>(name, model::DataType::i32, std::move(shape));
    const std::int64_t count = tensors_.back().elements();
    for (std::int64_t i = 0; i < count; ++i) packed[i] = static_cast<std::int32_t>(random_());
  }
  void add_shape(const std::string& name, const std::vector<std::int64_t>& shape) {
    std::memcpy(own<std::int64_t>(name, model::DataType::i64, {2}), shape.data(), 2 * sizeof(std::int64_t));
  }
  const std::vector<model::StoredTensor>& tensors() const { return tensors_; }

 private:
  static constexpr std::size_t kTable = 4096;

  template <class T>
  T* own(const std::string& name, model::DataType type, std::vector<std::int64_t> shape) {
    tensors_.push_back({name, type, std::move(shape)});
    owned_.emplace_back(tensors_.back().bytes());
    tensors_.back().data = owned_.back().data();
    return reinterpret_cast<T*>(owned_.back().data());
  }
  /// value(16 random bits) for every element of the last tensor.
  template <class T, class Value>
  void fill(T* target, const Value& value) {
    const std::int64_t count = tensors_.back().elements();
    std::uint64_t bits = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      if (i % 4 == 0) bits = random_();
      target[i] = value(bits & 0xFFFFU);
      bits >>= 16U;
    }
  }

  std::mt19937_64 random_;
  std::array<float, kTable> normal_{};
  std::vector<model::StoredTensor> tensors_;
  std::deque<std::vector<std::byte>> owned_;
};

/// `codes` have this standard deviation when every one is as likely.
float uniform_deviation(int codes) {
  return std::sqrt((static_cast<float>(codes) * static_cast<float>(codes) - 1.0f) / 12.0f);
}

void add_matrix(Noise& noise, const std::string& module, const std::vector<std::int64_t>& shape,
                SyntheticWeights weights) {
  const float deviation = 1.0f / std::sqrt(static_cast<float>(shape[1]));
  const bool linear = module.ends_with("_proj") || module == "lm_head";
  const bool in_groups = weights == SyntheticWeights::int4_pure || (weights == SyntheticWeights::int4 && linear);
  if (weights == SyntheticWeights::bf16) {
    noise.add_bf16(module + ".weight", shape, 0, deviation);
  } else if (in_groups) {
    if (shape[1] % kGroup != 0)
      throw std::invalid_argument(module + ": int4 in groups of " + std::to_string(kGroup) +
                                  " needs an input width that they divide, found " + std::to_string(shape[1]));
    noise.add_int4(module + ".weight_packed", {shape[0], model::packed_int4_columns(shape[1])});
    noise.add_bf16_scales(module + ".weight_scale", {shape[0], shape[1] / kGroup}, deviation / uniform_deviation(16));
    noise.add_shape(module + ".weight_shape", shape);
  } else {
    noise.add_int8(module + ".weight", shape);
    noise.add_f32(module + ".weight_scale", {shape[0], 1}, deviation / uniform_deviation(255));
  }
}

nlohmann::json description(const model::ModelConfig& config, SyntheticWeights weights) {
  if (weights == SyntheticWeights::bf16) return nullptr;
  const model::WeightScheme in_groups{4, kGroup}, per_channel;
  const bool pure = weights == SyntheticWeights::int4_pure;
  const model::WeightScheme linear = pure || weights == SyntheticWeights::int4 ? in_groups : per_channel;
  const int activation_bits = weights == SyntheticWeights::int8 ? 8 : 0;
  std::vector<std::string> ignore;
  if (config.tie_word_embeddings) ignore.emplace_back("lm_head");
  return model::quantization_config(
      {{{"Linear"}, linear, activation_bits}, {{"Embedding"}, pure ? in_groups : per_channel, 0}}, ignore);
}

}  // namespace

std::vector<std::string> synthetic_shapes() {
  std::vector<std::string> names;
  for (const Shape& shape : kShapes) names.emplace_back(shape.name);
  return names;
}

model::ModelConfig synthetic_config(const std::string& shape) {
  std::string known;
  for (const Shape& s : kShapes) {
    known += (known.empty() ? "" : ", ") + std::string(s.name);
    if (shape != s.name) continue;
    model::ModelConfig config;
    config.architecture = s.architecture;
    config.vocabulary_size = s.vocabulary;
    config.hidden_size = s.hidden;
    config.intermediate_size = s.intermediate;
    config.layers = s.layers;
    config.heads = s.heads;
    config.kv_heads = s.kv_heads;
    config.head_dim = s.head_dim;
    config.max_positions = s.positions;
    config.rope_theta = s.theta;
    config.rms_norm_epsilon = s.epsilon;
    config.tie_word_embeddings = s.tied;
    config.input_bias = s.bias;
    config.query_key_norm = s.norm;
    return config;
  }
  throw std::invalid_argument("shape: expected one of " + known + ", found \"" + shape + "\"");
}

void write_synthetic_model(const std::filesystem::path& folder, const model::ModelConfig& config,
                           SyntheticWeights weights, std::uint64_t seed) {
  Noise noise(seed);
  for (const auto& [name, shape] : model::tensor_shapes(config)) {
    if (shape.size() == 2) {
      add_matrix(noise, name.substr(0, name.size() - std::string(".weight").size()), shape, weights);
    } else {
      noise.add_bf16(name, shape, name.ends_with("norm.weight") ? 1.0f : 0.0f, 0.1f);
    }
  }
  model::save_model(folder, config, noise.tensors(), description(config, weights));
}

}  // namespace retort::runtime
