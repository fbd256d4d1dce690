// The decoder's shape, as Hugging Face's config.json states it. Llama family; other families extend this struct.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace retort::model {

/// Dimensions: V vocabulary, D hidden, F feed-forward, L layers, H query heads, K kv heads.
struct ModelConfig {
  std::string architecture = "LlamaForCausalLM";
  std::int64_t vocabulary_size = 0;    ///< V
  std::int64_t hidden_size = 0;        ///< D
  std::int64_t intermediate_size = 0;  ///< F
  std::int64_t layers = 0;             ///< L
  std::int64_t heads = 0;              ///< H
  std::int64_t kv_heads = 0;           ///< K; divides H
  std::int64_t head_dim = 0;           ///< need not be D/H: a pruned model keeps its heads' size
  std::int64_t max_positions = 0;      ///< longest sequence, tokens
  double rope_theta = 10000.0;
  double rms_norm_epsilon = 1e-5;
  bool tie_word_embeddings = true;
  std::int64_t bos_token = -1;  ///< -1: none
  std::int64_t eos_token = -1;
  std::int64_t pad_token = -1;

  /// Parameters, counting a tied embedding once.
  std::int64_t parameters() const;
  bool operator==(const ModelConfig&) const = default;
};

/// Reads config.json. Throws std::invalid_argument for an unknown architecture, or a field that changes the maths and
/// is not implemented (rope_scaling, attention_bias, mlp_bias, hidden_act other than silu, …), by field name, and for
/// sizes that do not fit together.
ModelConfig model_config_from_json(const nlohmann::json& json, const std::string& origin);

/// A complete config.json that stock Transformers loads.
nlohmann::json to_json(const ModelConfig& config);

}  // namespace retort::model
