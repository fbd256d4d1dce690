// See random_model.h.
#include "random_model.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <deque>
#include <stdexcept>

#include "model/linear_weight.h"
#include "model/quantization_config.h"

namespace retort::runtime::testing {
namespace {

struct Codes {
  std::vector<std::int8_t> codes;
  std::vector<std::int32_t> packed;  // int4
  std::vector<float> scales;
  std::vector<std::int64_t> shape;  // int4
  std::vector<std::int8_t> zeros;   // asymmetric int4
  std::vector<std::int32_t> packed_zeros;
};

/// One scale for each `group` neighbours; codes up to `largest`.
Codes quantise(const std::vector<float>& weight, std::int64_t group, float largest) {
  Codes result{std::vector<std::int8_t>(weight.size())};
  const auto width = static_cast<std::size_t>(group);
  for (std::size_t first = 0; first < weight.size(); first += width) {
    float maximum = 1e-8f;
    for (std::size_t i = first; i < first + width; ++i) maximum = std::max(maximum, std::fabs(weight[i]));
    const float scale = maximum / largest;
    result.scales.push_back(scale);
    for (std::size_t i = first; i < first + width; ++i)
      result.codes[i] = static_cast<std::int8_t>(std::nearbyint(weight[i] / scale));
  }
  return result;
}

/// The group of an int4 layer with so many input columns; 0 if there is none.
std::int64_t group_of(std::int64_t columns) {
  return columns % 64 == 0 ? 64 : columns % 32 == 0 ? 32 : 0;
}

/// The range of each group in 16 codes; every other scale is negative, its codes mirrored.
Codes quantise_asymmetrically(const std::vector<float>& weight, std::int64_t group) {
  Codes result{std::vector<std::int8_t>(weight.size())};
  const auto width = static_cast<std::size_t>(group);
  for (std::size_t first = 0; first < weight.size(); first += width) {
    const auto [low, high] = std::minmax_element(weight.begin() + static_cast<std::ptrdiff_t>(first),
                                                 weight.begin() + static_cast<std::ptrdiff_t>(first + width));
    const float sign = first / width % 2 == 0 ? 1.0f : -1.0f;
    const float least = std::min(0.0f, std::min(sign * *low, sign * *high));
    const float most = std::max(1e-8f, std::max(sign * *low, sign * *high));
    const float scale = sign * (most - least) / 15.0f;
    const int zero = static_cast<int>(std::nearbyint(-least / (most - least) * 15.0f)) - 8;
    result.scales.push_back(scale);
    result.zeros.push_back(static_cast<std::int8_t>(zero));
    for (std::size_t i = first; i < first + width; ++i)
      result.codes[i] = static_cast<std::int8_t>(std::clamp(std::nearbyint(weight[i] / scale) + zero, -8.0f, 7.0f));
  }
  return result;
}

/// What `mixed` is for this tensor: modules that share an input are one unit.
Storage unit_storage(const std::string& tensor) {
  constexpr Storage kTurns[] = {Storage::int4, Storage::int4_asymmetric, Storage::w8a16, Storage::f32};
  const auto digit = tensor.find("layers.");
  const std::size_t layer = digit == std::string::npos ? 2 : static_cast<std::size_t>(tensor[digit + 7] - '0');
  const bool feed_forward =
      tensor.find("gate_proj") != std::string::npos || tensor.find("up_proj") != std::string::npos;
  const std::size_t unit = tensor.find("o_proj") != std::string::npos      ? 1
                           : tensor.find("down_proj") != std::string::npos ? 2
                           : feed_forward                                  ? 3
                                                                           : 0;
  return kTurns[(layer + unit) % 4];
}

bool in_groups(Storage storage) {
  return storage == Storage::int4 || storage == Storage::int4_pure || storage == Storage::int4_asymmetric;
}

bool is_quantised(const std::string& tensor, Storage storage, const std::vector<std::string>& ignore) {
  const bool linear = tensor.ends_with("_proj.weight") || tensor == "lm_head.weight";
  const bool pure = storage == Storage::int4_pure || storage == Storage::int4_asymmetric;
  const bool embedding = pure && tensor == "model.embed_tokens.weight";
  return storage != Storage::f32 && (linear || embedding) &&
         std::none_of(ignore.begin(), ignore.end(),
                      [&](const std::string& module) { return tensor == module + ".weight"; });
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "retort-runtime-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

model::ModelConfig awkward_config() {
  model::ModelConfig config;
  config.vocabulary_size = 131;
  config.hidden_size = 70;
  config.intermediate_size = 97;
  config.layers = 3;
  config.heads = 6;
  config.kv_heads = 2;
  config.head_dim = 10;
  config.max_positions = 640;
  return config;
}

model::ModelConfig awkward_config(const std::string& family) {
  model::ModelConfig config = awkward_config();
  if (family == "qwen2") {
    config.architecture = "Qwen2ForCausalLM";
    config.input_bias = true;
    config.sliding_window = 7;
    config.sliding_layers = {false, true, false};
    config.rope_scaling = {
        .type = model::RopeType::yarn, .factor = 4, .original_positions = 32, .attention_factor = 1.1};
  } else if (family == "qwen3") {
    config.architecture = "Qwen3ForCausalLM";
    config.query_key_norm = true;
  } else if (family == "llama3") {
    config.input_bias = config.output_bias = true;
    config.tie_word_embeddings = false;
    config.rope_scaling = {.type = model::RopeType::llama3, .factor = 8, .original_positions = 64};
  } else if (family == "gemma3") {
    config.architecture = "Gemma3ForCausalLM";
    config.activation = model::Activation::gelu_tanh;
    config.embedding_scale = model::EmbeddingScale::f32;
    config.norm_adds_one = config.block_output_norm = config.query_key_norm = true;
    config.attention_scalar = 17;
    config.rope_theta = 1e6;
    config.local_rope_theta = 100;
    config.sliding_window = 7;
    config.sliding_layers = {true, true, false};
    config.rope_scaling = {.type = model::RopeType::linear, .factor = 8};
  } else if (family == "prefix") {
    config.architecture = "PrefixLlamaForCausalLM";
    config.prompt_end_token = 45;
  } else {
    throw std::invalid_argument("no family " + family);
  }
  return config;
}

model::ModelConfig grouped_config(const std::string& family, bool tied) {
  model::ModelConfig config = awkward_config(family);
  config.rope_scaling = {};
  config.sliding_layers = {};
  config.sliding_window = 0;
  config.local_rope_theta = 0;
  config.tie_word_embeddings = tied;
  config.hidden_size = 192;
  config.intermediate_size = 320;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 48;
  config.vocabulary_size = 331;
  return config;
}

std::vector<float> random_values(std::int64_t count, std::mt19937& random, float deviation) {
  std::normal_distribution<float> normal(0.0f, deviation);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = normal(random);
  return values;
}

Weights random_weights(const model::ModelConfig& config, std::uint32_t seed) {
  std::mt19937 random(seed);
  Weights weights;
  for (const auto& [name, shape] : model::tensor_shapes(config)) {
    if (shape.size() == 1) {
      weights[name] = random_values(shape[0], random, 0.1f);
      if (name.ends_with("norm.weight"))
        for (float& value : weights[name]) value += 1.0f - static_cast<float>(config.norm_offset());
    } else {
      weights[name] = random_values(shape[0] * shape[1], random, 1.0f / std::sqrt(static_cast<float>(shape[1])));
    }
  }
  return weights;
}

void write_model(const std::filesystem::path& folder, const model::ModelConfig& config, const Weights& weights,
                 Storage storage, const std::vector<std::string>& ignore) {
  std::vector<model::StoredTensor> tensors;
  std::deque<Codes> owned;
  const auto view = [&](const std::string& name, model::DataType type, std::vector<std::int64_t> shape,
                        const void* data) {
    tensors.push_back({name, type, std::move(shape), static_cast<const std::byte*>(data)});
  };
  std::map<std::pair<std::int64_t, bool>, std::vector<std::string>> grouped;
  std::vector<std::string> rows;
  for (const auto& [name, shape] : model::tensor_shapes(config)) {
    const std::vector<float>& weight = weights.at(name);
    const Storage own = storage == Storage::mixed ? unit_storage(name) : storage;
    if (!is_quantised(name, own, ignore)) {
      view(name, model::DataType::f32, shape, weight.data());
      continue;
    }
    const std::int64_t group = in_groups(own) ? group_of(shape[1]) : 0;
    const bool asymmetric = own == Storage::int4_asymmetric && group > 0;
    owned.push_back(asymmetric ? quantise_asymmetrically(weight, group)
                               : quantise(weight, group > 0 ? group : shape[1], group > 0 ? 7.0f : 127.0f));
    Codes& codes = owned.back();
    const std::int64_t groups = group > 0 ? shape[1] / group : 1;
    view(name + "_scale", model::DataType::f32, {shape[0], groups}, codes.scales.data());
    const std::string module = name.substr(0, name.size() - std::string(".weight").size());
    if (group == 0) {
      rows.push_back(module);
      view(name, model::DataType::i8, shape, codes.codes.data());
      continue;
    }
    grouped[{group, asymmetric}].push_back(module);
    if (asymmetric) {
      codes.packed_zeros = model::pack_zero_points(codes.zeros, shape[0], groups);
      view(name + "_zero_point", model::DataType::i32, {model::packed_int4_columns(shape[0]), groups},
           codes.packed_zeros.data());
    }
    codes.packed = model::pack_int4(codes.codes, shape[0], shape[1]);
    codes.shape = shape;
    view(name + "_packed", model::DataType::i32, {shape[0], model::packed_int4_columns(shape[1])}, codes.packed.data());
    view(name + "_shape", model::DataType::i64, {2}, codes.shape.data());
  }
  std::vector<std::string> ignored = ignore;
  if (config.tie_word_embeddings) ignored.push_back("lm_head");
  std::vector<model::QuantizedModules> modules;
  for (const auto& [scheme, names] : grouped) modules.push_back({names, {4, scheme.first, !scheme.second}});
  if (!rows.empty())
    modules.push_back({storage == Storage::mixed ? rows : std::vector<std::string>{"Linear"},
                       {8, 0},
                       storage == Storage::int8 ? 8 : 0});
  model::save_model(folder, config, tensors,
                    storage == Storage::f32 ? nlohmann::json() : model::quantization_config(modules, ignored));
}

}  // namespace retort::runtime::testing
