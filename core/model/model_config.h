// The decoder's shape, as Hugging Face's config.json states it: the families Llama (SmolLM2, TinyLlama), Qwen2 (and
// Qwen2.5), Qwen3 and Gemma 3 (its text models), which differ in biases, norms, the gate's function and windows.
#pragma once

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "model/rope_scaling.h"

namespace retort::model {

/// What the feed-forward block's gate goes through.
enum class Activation {
  silu,       ///< x / (1 + e^−x)
  gelu_tanh,  ///< x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³))), "gelu_pytorch_tanh" (arXiv 1606.08415)
};

/// What the embedding's rows are multiplied with before the first layer.
enum class EmbeddingScale {
  none,
  f32,   ///< √D
  bf16,  ///< √D rounded to bf16, as Transformers does for weights of that type (config.json's torch_dtype)
};

/// Dimensions: V vocabulary, D hidden, F feed-forward, L layers, H query heads, K kv heads.
struct ModelConfig {
  /// Or "Qwen2…", "Qwen3…", "Gemma3ForCausalLM", and "PrefixLlamaForCausalLM" where prompt_end_token is set.
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
  RopeScaling rope_scaling;
  double rms_norm_epsilon = 1e-5;
  bool tie_word_embeddings = true;
  bool input_bias = false;      ///< q, k and v projections add a bias
  bool output_bias = false;     ///< the o projection adds a bias
  bool query_key_norm = false;  ///< RMSNorm over each head of queries and keys before they are rotated
  Activation activation = Activation::silu;
  EmbeddingScale embedding_scale = EmbeddingScale::none;
  bool norm_adds_one = false;        ///< every RMSNorm multiplies by 1 + its weight
  bool block_output_norm = false;    ///< both blocks' outputs are normed before they are added: four norms a layer
  double attention_scalar = 0;       ///< scores are divided by its square root; 0 = head_dim
  double local_rope_theta = 0;       ///< of sliding layers, without rope_scaling; 0 = they turn as the others do
  std::int64_t sliding_window = 0;   ///< positions that a sliding layer looks at, itself included; 0 = no such layer
  std::vector<bool> sliding_layers;  ///< [L]; empty = none
  std::int64_t bos_token = -1;       ///< -1: none
  std::int64_t eos_token = -1;
  std::int64_t pad_token = -1;
  /// Up to the first such token, itself included, every position sees every other, and behind it what came before: a
  /// prefix language model (Raffel et al. 2020, arXiv 1910.10683, §3.2.1). −1: nobody sees what comes later.
  std::int64_t prompt_end_token = -1;

  /// Parameters, counting a tied embedding once.
  std::int64_t parameters() const;
  /// How many positions back, itself included, layer `layer` looks; 0 = all.
  std::int64_t window(std::int64_t layer) const {
    return !sliding_layers.empty() && sliding_layers[static_cast<std::size_t>(layer)] ? sliding_window : 0;
  }
  /// Sliding layers turn by rotary embeddings of their own.
  bool turns_locally(std::int64_t layer) const { return local_rope_theta > 0 && window(layer) > 0; }
  double attention_divisor() const;  ///< square root of attention_scalar, or of head_dim
  double embedding_factor() const;   ///< 1 without a scale
  /// Tokens of the prompt that are read in both directions: up to the first prompt_end_token; 0 = none.
  template <typename Tokens>
  std::int64_t read_both_ways(const Tokens& tokens) const {
    if (prompt_end_token < 0) return 0;
    const auto end = std::find(tokens.begin(), tokens.end(), prompt_end_token);
    return end == tokens.end() ? 0 : end - tokens.begin() + 1;
  }
  double norm_offset() const { return norm_adds_one ? 1.0 : 0.0; }
  /// The norm before the feed-forward block, whose name depends on whether outputs are normed as well.
  const char* feed_forward_norm() const {
    return block_output_norm ? "pre_feedforward_layernorm" : "post_attention_layernorm";
  }
  bool operator==(const ModelConfig&) const = default;
};

/// The shape's rotary frequencies [head_dim/2] of layer `layer`, in radians per position.
std::vector<double> rope_frequencies(const ModelConfig& config, std::int64_t layer);

/// Reads config.json. Throws std::invalid_argument for an unknown architecture, or a field that changes the maths and
/// is not implemented (mlp_bias, another hidden_act, softcapping, an unknown rope_scaling, …), by field name, and for
/// sizes and layers that do not fit together.
ModelConfig model_config_from_json(const nlohmann::json& json, const std::string& origin);

/// A complete config.json that stock Transformers loads.
nlohmann::json to_json(const ModelConfig& config);

}  // namespace retort::model
