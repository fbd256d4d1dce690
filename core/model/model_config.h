// The decoder's shape, as Hugging Face's config.json states it: the families Llama (SmolLM2, TinyLlama), Qwen2 (and
// Qwen2.5) and Qwen3, which differ in biases, norms of queries and keys, and windows.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "model/rope_scaling.h"

namespace retort::model {

/// Dimensions: V vocabulary, D hidden, F feed-forward, L layers, H query heads, K kv heads.
struct ModelConfig {
  std::string architecture = "LlamaForCausalLM";  ///< or "Qwen2ForCausalLM", "Qwen3ForCausalLM"
  std::int64_t vocabulary_size = 0;               ///< V
  std::int64_t hidden_size = 0;                   ///< D
  std::int64_t intermediate_size = 0;             ///< F
  std::int64_t layers = 0;                        ///< L
  std::int64_t heads = 0;                         ///< H
  std::int64_t kv_heads = 0;                      ///< K; divides H
  std::int64_t head_dim = 0;                      ///< need not be D/H: a pruned model keeps its heads' size
  std::int64_t max_positions = 0;                 ///< longest sequence, tokens
  double rope_theta = 10000.0;
  RopeScaling rope_scaling;
  double rms_norm_epsilon = 1e-5;
  bool tie_word_embeddings = true;
  bool input_bias = false;           ///< q, k and v projections add a bias
  bool output_bias = false;          ///< the o projection adds a bias
  bool query_key_norm = false;       ///< RMSNorm over each head of queries and keys before they are rotated
  std::int64_t sliding_window = 0;   ///< positions that a sliding layer looks at, itself included; 0 = no such layer
  std::vector<bool> sliding_layers;  ///< [L]; empty = none
  std::int64_t bos_token = -1;       ///< -1: none
  std::int64_t eos_token = -1;
  std::int64_t pad_token = -1;

  /// Parameters, counting a tied embedding once.
  std::int64_t parameters() const;
  /// How many positions back, itself included, layer `layer` looks; 0 = all.
  std::int64_t window(std::int64_t layer) const {
    return !sliding_layers.empty() && sliding_layers[static_cast<std::size_t>(layer)] ? sliding_window : 0;
  }
  bool operator==(const ModelConfig&) const = default;
};

/// Reads config.json. Throws std::invalid_argument for an unknown architecture, or a field that changes the maths and
/// is not implemented (mlp_bias, hidden_act other than silu, an unknown rope_scaling, …), by field name, and for
/// sizes that do not fit together.
ModelConfig model_config_from_json(const nlohmann::json& json, const std::string& origin);

/// A complete config.json that stock Transformers loads.
nlohmann::json to_json(const ModelConfig& config);

}  // namespace retort::model
