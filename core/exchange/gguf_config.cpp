#include "exchange/gguf_config.h"

#include <cmath>
#include <stdexcept>

#include "exchange/gguf_names.h"
#include "exchange/rope_factors.h"
#include "model/gguf_lookup.h"

namespace retort::exchange {
namespace {

using model::GgufLookup;
using model::ModelConfig;

// Bounds as model_config.cpp's, which checks the result once more.
constexpr std::int64_t greatest_size = std::int64_t{1} << 27;
constexpr std::int64_t greatest_positions = std::int64_t{1} << 30;
constexpr std::int64_t greatest_count = std::int64_t{1} << 12;

const model::GgufTensor* required(const model::GgufFile& file, const std::string& name) {
  const model::GgufTensor* tensor = file.find(name);
  if (tensor == nullptr)
    throw std::invalid_argument(file.origin() + ": tensor '" + name + "': expected it, found none");
  return tensor;
}

std::vector<float> values_of(const model::GgufTensor& tensor) {
  std::size_t count = 1;
  for (const std::int64_t size : tensor.shape) count *= static_cast<std::size_t>(size);
  std::vector<float> values(count);
  model::dequantise(tensor.type, tensor.data, values);
  return values;
}

bool is_gemma(const ModelConfig& config) {
  return config.architecture == "Gemma3ForCausalLM";
}

// llama.cpp's src/models/gemma3.cpp and llama-model.cpp: what a file of this architecture does not say.
constexpr std::int64_t gemma_pattern = 6;
constexpr double gemma_local_theta = 10000;
constexpr std::int64_t gemma_layers_by_width = 62;  // of the 27B, whose scores are divided by √(D/H)

double gemma_attention_scalar(const ModelConfig& config) {
  return static_cast<double>(config.layers == gemma_layers_by_width ? config.hidden_size / config.heads
                                                                    : config.head_dim);
}

void read_gemma(const GgufLookup& keys, const std::string& prefix, ModelConfig& config) {
  config.activation = model::Activation::gelu_tanh;
  config.embedding_scale = model::EmbeddingScale::f32;
  config.norm_adds_one = config.block_output_norm = true;
  config.attention_scalar = gemma_attention_scalar(config);
  config.sliding_window = keys.find_integer(prefix + "attention.sliding_window", 0, greatest_positions).value_or(0);
  if (config.sliding_window == 0) return;
  const std::int64_t pattern =
      keys.find_integer(prefix + "attention.sliding_window_pattern", 1, greatest_count).value_or(gemma_pattern);
  bool any = false;
  for (std::int64_t i = 0; i < config.layers; ++i) {
    config.sliding_layers.push_back((i + 1) % pattern != 0);
    any = any || config.sliding_layers.back();
  }
  if (!any) {
    config.sliding_layers.clear();
    config.sliding_window = 0;
    return;
  }
  config.local_rope_theta = keys.find_number(prefix + "rope.freq_base_swa").value_or(gemma_local_theta);
  if (!(config.local_rope_theta > 0)) keys.refuse(prefix + "rope.freq_base_swa", "a number above 0");
}

void refuse_unimplemented(const GgufLookup& keys, const std::string& prefix, const ModelConfig& config) {
  const auto neutral = [&](const std::string& key, std::int64_t value, const char* what) {
    const auto found = keys.find_integer(prefix + key, 0, INT64_MAX);
    if (found && *found != value)
      keys.refuse(prefix + key, std::to_string(value) + " (" + what + " is not implemented)");
  };
  neutral("expert_count", 0, "a mixture of experts");
  neutral("rope.dimension_count", config.head_dim, "rotating a part of a head");
  neutral("attention.value_length", config.head_dim, "another size of values than of keys");
  for (const char* key : {"attn_logit_softcapping", "final_logit_softcapping"})
    if (keys.find_number(prefix + key).value_or(0) != 0)
      keys.refuse(prefix + key, "none (soft caps, as Gemma 2 has them, are not implemented)");
  if (is_gemma(config)) return;
  const auto window = keys.find_integer(prefix + "attention.sliding_window", 0, INT64_MAX);
  if (window && *window > 0 && *window < config.max_positions)
    keys.refuse(prefix + "attention.sliding_window", "none (a sliding window in a GGUF file is not implemented)");
}

/// What llama.cpp multiplies cosines and sines with under YaRN, besides its own factor.
double default_attention_factor(double factor) {
  return factor <= 1 ? 1.0 : 0.1 * std::log(factor) + 1.0;
}

/// llama.cpp multiplies it with its own factor (src/llama-context.cpp; the other key is read for other architectures).
double attention_factor_beyond_yarn(const GgufLookup& keys, const std::string& scaling) {
  const double factor = keys.find_number(scaling + "attn_factor").value_or(1);
  if (!(factor > 0)) keys.refuse(scaling + "attn_factor", "a number above 0");
  return factor;
}

/// Keys of YaRN that change the maths in a way that is not implemented, or that no YaRN is there for.
void refuse_unusual_scaling(const GgufLookup& keys, const std::string& scaling, bool yarn) {
  const double share = yarn ? 1 : 0;  // of the interpolated frequencies; below 0: not set
  const auto extent = keys.find_number(scaling + "yarn_ext_factor");
  if (extent && *extent >= 0 && *extent != share)
    keys.refuse(scaling + "yarn_ext_factor", yarn ? "1 (others are not implemented)" : "0 without YaRN");
  if (keys.find_number(scaling + "yarn_attn_factor").value_or(1) != 1)
    keys.refuse(scaling + "yarn_attn_factor", "1 (others are not implemented)");
  if (keys.find_number(scaling + "yarn_log_multiplier").value_or(0) != 0)
    keys.refuse(scaling + "yarn_log_multiplier", "0 (others are not implemented)");
  if (!yarn && attention_factor_beyond_yarn(keys, scaling) != 1)
    keys.refuse(scaling + "attn_factor", "1 without YaRN (others are not implemented)");
}

void read_rope(const model::GgufFile& file, const GgufLookup& keys, const std::string& prefix, ModelConfig& config) {
  config.rope_theta = keys.find_number(prefix + "rope.freq_base").value_or(10000.0);
  if (!(config.rope_theta > 0) || !std::isfinite(config.rope_theta))
    keys.refuse(prefix + "rope.freq_base", "a number above 0");
  const std::string scaling = prefix + "rope.scaling.";
  const std::int64_t original =
      keys.find_integer(scaling + "original_context_length", 0, greatest_positions).value_or(0);
  refuse_unusual_scaling(keys, scaling, keys.find_string(scaling + "type").value_or("none") == "yarn");
  if (const model::GgufTensor* factors = file.find(rope_factors_tensor)) {
    config.rope_scaling =
        rope_scaling_of_factors(values_of(*factors), config.rope_theta, config.head_dim, original, file.origin());
    return;
  }
  // Files from before "scaling.type" have the factor of linear scaling alone.
  const auto old_factor = keys.find_number(prefix + "rope.scale_linear");
  const std::string type = keys.find_string(scaling + "type").value_or(old_factor ? "linear" : "none");
  const double factor = keys.find_number(scaling + "factor").value_or(old_factor.value_or(1));
  if (type == "none" || (type == "linear" && factor == 1)) return;
  nlohmann::json json = {{"rope_type", type}, {"factor", factor}};
  if (type == "yarn") {
    json["original_max_position_embeddings"] = original > 0 ? original : config.max_positions;
    for (const auto& [key, name] : {std::pair("yarn_beta_fast", "beta_fast"), std::pair("yarn_beta_slow", "beta_slow")})
      if (const auto value = keys.find_number(scaling + key)) json[name] = *value;
    if (const double more = attention_factor_beyond_yarn(keys, scaling); more != 1)
      json["attention_factor"] = more * default_attention_factor(factor);
  } else if (type != "linear") {
    keys.refuse(scaling + "type", "\"none\", \"linear\" or \"yarn\"");
  }
  config.rope_scaling = model::rope_scaling_from_json(host::JsonCursor(json, file.origin() + ": keys " + scaling + "*"),
                                                      config.max_positions);
}

/// Biases and a head of its own are there, or they are not: no key says so.
void read_presence(const model::GgufFile& file, ModelConfig& config) {
  config.tie_word_embeddings = file.find("output.weight") == nullptr;
  config.input_bias = file.find("blk.0.attn_q.bias") != nullptr;
  config.output_bias = file.find("blk.0.attn_output.bias") != nullptr;
  config.query_key_norm = file.find("blk.0.attn_q_norm.weight") != nullptr;
  const bool qwen2 = config.architecture == "Qwen2ForCausalLM", qwen3 = config.architecture == "Qwen3ForCausalLM";
  const auto refuse = [&](const char* tensor, bool expected) {
    throw std::invalid_argument(file.origin() + ": tensor '" + tensor + "': expected " + (expected ? "it" : "none") +
                                " in this architecture, found " + (expected ? "none" : "it"));
  };
  if (qwen2 && !config.input_bias) refuse("blk.0.attn_q.bias", true);
  if (qwen2 ? config.output_bias : config.output_bias != config.input_bias)
    refuse("blk.0.attn_output.bias", !config.output_bias);
  const bool normed = qwen3 || is_gemma(config);
  if (config.query_key_norm != normed) refuse("blk.0.attn_q_norm.weight", normed);
}

void read_sizes(const model::GgufFile& file, const GgufLookup& keys, const std::string& prefix, ModelConfig& config) {
  const model::GgufTensor* embedding = required(file, "token_embd.weight");
  config.hidden_size = keys.integer(prefix + "embedding_length", 1, greatest_size);
  if (embedding->shape.size() != 2 || embedding->shape[1] != config.hidden_size)
    throw std::invalid_argument(file.origin() + ": tensor 'token_embd.weight': expected [vocabulary," +
                                std::to_string(config.hidden_size) + "], as " + prefix +
                                "embedding_length says, found other sizes");
  config.vocabulary_size = embedding->shape[0];
  config.intermediate_size = keys.integer(prefix + "feed_forward_length", 1, greatest_size);
  config.layers = keys.integer(prefix + "block_count", 1, greatest_count);
  config.heads = keys.integer(prefix + "attention.head_count", 1, greatest_count);
  config.kv_heads = keys.find_integer(prefix + "attention.head_count_kv", 1, greatest_count).value_or(config.heads);
  const auto head_dim = keys.find_integer(prefix + "attention.key_length", 1, greatest_count);
  if (!head_dim && config.hidden_size % config.heads != 0)
    keys.refuse(prefix + "embedding_length",
                "a multiple of " + prefix + "attention.head_count, or attention.key_length");
  config.head_dim = head_dim.value_or(config.hidden_size / config.heads);
  config.max_positions = keys.integer(prefix + "context_length", 1, greatest_positions);
  const std::string epsilon = prefix + "attention.layer_norm_rms_epsilon";
  if (!keys.has(epsilon)) keys.refuse(epsilon, "a floating-point number");
  config.rms_norm_epsilon = *keys.find_number(epsilon);
}

void read_tokens(const GgufLookup& keys, ModelConfig& config) {
  const auto token = [&](const char* key) {
    return keys.find_integer(std::string("tokenizer.ggml.") + key, 0, config.vocabulary_size - 1).value_or(-1);
  };
  config.bos_token = token("bos_token_id");
  config.eos_token = token("eos_token_id");
  config.pad_token = token("padding_token_id");
}

}  // namespace

ModelConfig config_from_gguf(const model::GgufFile& file) {
  const GgufLookup keys(file.metadata(), file.origin());
  const std::string name = keys.string("general.architecture");
  ModelConfig config;
  config.architecture = architecture_of_gguf(name);
  if (config.architecture.empty())
    keys.refuse("general.architecture", R"("llama", "qwen2", "qwen3" or "gemma3" (others are not implemented))");
  const std::string prefix = name + ".";
  read_sizes(file, keys, prefix, config);
  if (is_gemma(config)) read_gemma(keys, prefix, config);
  refuse_unimplemented(keys, prefix, config);
  read_rope(file, keys, prefix, config);
  read_presence(file, config);
  read_tokens(keys, config);
  return model::model_config_from_json(model::to_json(config), file.origin());  // checks what belongs together
}

namespace {

/// llama.cpp derives the rest of YaRN's parameters from these, as Transformers does where config.json is silent. The
/// attention factor has a key of its own.
void refuse_unusual_yarn(const model::RopeScaling& scaling) {
  const nlohmann::json json = {{"rope_type", "yarn"},
                               {"factor", scaling.factor},
                               {"original_max_position_embeddings", scaling.original_positions},
                               {"beta_fast", scaling.beta_fast},
                               {"beta_slow", scaling.beta_slow},
                               {"attention_factor", scaling.attention_factor}};
  if (model::rope_scaling_from_json(host::JsonCursor(json, "rope_scaling"), 1) != scaling)
    throw std::invalid_argument(
        "rope_scaling: expected the default truncate, because GGUF files cannot say another, found " +
        model::to_json(scaling).dump());
}

/// llama.cpp derives the rest: which layers slide, their rotary base, the scale of scores.
void put_gemma(const ModelConfig& config, const std::string& prefix, model::GgufMetadata& keys) {
  const auto refuse = [](const char* what, double expected, double found) {
    throw std::invalid_argument(std::string(what) + ": expected " + std::to_string(expected) +
                                ", because GGUF files of the architecture gemma3 cannot say another, found " +
                                std::to_string(found));
  };
  if (config.attention_scalar != gemma_attention_scalar(config))
    refuse("query_pre_attn_scalar", gemma_attention_scalar(config), config.attention_scalar);
  if (config.sliding_layers.empty()) return;
  for (std::int64_t i = 0; i < config.layers; ++i)
    if (config.sliding_layers[static_cast<std::size_t>(i)] != ((i + 1) % gemma_pattern != 0))
      throw std::invalid_argument(
          "layer_types: expected every sixth layer looking at everything and the others sliding, "
          "because llama.cpp reads GGUF files of the architecture gemma3 so, found layer " +
          std::to_string(i) + " otherwise");
  if (config.local_rope_theta != gemma_local_theta)
    refuse("rope_local_base_freq", gemma_local_theta, config.local_rope_theta);
  keys[prefix + "attention.sliding_window"] = static_cast<std::uint32_t>(config.sliding_window);
}

}  // namespace

model::GgufMetadata gguf_from_config(const ModelConfig& config) {
  const std::string name = gguf_architecture(config.architecture);
  if (!config.sliding_layers.empty() && !is_gemma(config))
    throw std::invalid_argument("sliding_window: expected none, because GGUF files of the architecture " + name +
                                " cannot say which layers slide, found " + std::to_string(config.sliding_window));
  const std::string prefix = name + ".";
  model::GgufMetadata keys;
  const auto count = [&](const char* key, std::int64_t value) {
    keys[prefix + key] = static_cast<std::uint32_t>(value);
  };
  const auto number = [&](const char* key, double value) { keys[prefix + key] = static_cast<float>(value); };
  keys["general.architecture"] = name;
  count("vocab_size", config.vocabulary_size);
  count("context_length", config.max_positions);
  count("embedding_length", config.hidden_size);
  count("block_count", config.layers);
  count("feed_forward_length", config.intermediate_size);
  count("attention.head_count", config.heads);
  count("attention.head_count_kv", config.kv_heads);
  count("rope.dimension_count", config.head_dim);
  if (is_gemma(config)) put_gemma(config, prefix, keys);
  if (config.head_dim * config.heads != config.hidden_size || name == "qwen3" || is_gemma(config)) {
    count("attention.key_length", config.head_dim);
    count("attention.value_length", config.head_dim);
  }
  number("attention.layer_norm_rms_epsilon", config.rms_norm_epsilon);
  number("rope.freq_base", config.rope_theta);
  const model::RopeScaling& scaling = config.rope_scaling;
  if (scaling.type == model::RopeType::linear || scaling.type == model::RopeType::yarn) {
    keys[prefix + "rope.scaling.type"] = std::string(scaling.type == model::RopeType::linear ? "linear" : "yarn");
    number("rope.scaling.factor", scaling.factor);
  }
  if (scaling.original_positions > 0) count("rope.scaling.original_context_length", scaling.original_positions);
  if (scaling.type == model::RopeType::yarn) {
    refuse_unusual_yarn(scaling);
    number("rope.scaling.yarn_beta_fast", scaling.beta_fast);
    number("rope.scaling.yarn_beta_slow", scaling.beta_slow);
    const double usual = default_attention_factor(scaling.factor);
    if (scaling.attention_factor != usual) number("rope.scaling.attn_factor", scaling.attention_factor / usual);
  }
  return keys;
}

}  // namespace retort::exchange
