// config.json of the Llama family, with the defaults of Transformers' LlamaConfig for absent fields.
#include "model/model_config.h"

#include <cmath>

#include "model/json_cursor.h"

namespace retort::model {
namespace {

using Json = nlohmann::json;

// Bounds far above any model meant for a CPU; they keep every product of sizes inside 63 bits.
constexpr std::int64_t greatest_vocabulary = std::int64_t{1} << 27;
constexpr std::int64_t greatest_width = std::int64_t{1} << 20;
constexpr std::int64_t greatest_layers = std::int64_t{1} << 12;
constexpr std::int64_t greatest_heads = std::int64_t{1} << 12;
constexpr std::int64_t greatest_head_dim = std::int64_t{1} << 12;
constexpr std::int64_t greatest_positions = std::int64_t{1} << 30;

std::int64_t size_or(const JsonCursor& root, const char* key, std::int64_t absent, std::int64_t greatest) {
  return root.has(key) ? root.at(key).integer(1, greatest) : absent;
}

/// A token id, null for none (-1), or a list of which the first counts (Llama 3 lists several ends).
std::int64_t token_or(const JsonCursor& root, const char* key, std::int64_t absent) {
  if (!root.json().contains(key)) return absent;
  JsonCursor cursor = root.at(key);
  if (cursor.json().is_array() && cursor.size() > 0) cursor = cursor.at(std::size_t{0});
  return cursor.json().is_null() ? -1 : cursor.integer(-1, greatest_vocabulary);
}

/// `key` may be absent, null, or `neutral`; any other value changes the maths in a way that is not implemented.
void require_neutral(const JsonCursor& root, const char* key, const Json& neutral) {
  if (root.has(key) && root.at(key).json() != neutral)
    root.at(key).refuse(neutral.dump() + " (other values of " + key + " are not implemented)");
}

void require_default_rope(const JsonCursor& rope) {
  for (const char* key : {"rope_type", "type"})
    if (rope.object().has(key) && rope.at(key).json() != "default")
      rope.at(key).refuse("\"default\" (scaled rotary embeddings are not implemented)");
}

void refuse_unimplemented(const JsonCursor& root) {
  require_neutral(root, "hidden_act", "silu");
  require_neutral(root, "attention_bias", false);
  require_neutral(root, "mlp_bias", false);
  require_neutral(root, "rope_interleaved", false);
  require_neutral(root, "partial_rotary_factor", 1.0);
  require_neutral(root, "is_encoder_decoder", false);
  if (root.has("sliding_window")) root.at("sliding_window").refuse("null (a sliding window is not implemented)");
  if (!root.has("rope_scaling")) return;
  require_default_rope(root.at("rope_scaling"));
  if (!root.at("rope_scaling").has("rope_type") && !root.at("rope_scaling").has("type"))
    root.at("rope_scaling").refuse("null (scaled rotary embeddings are not implemented)");
}

void check_architecture(const JsonCursor& root) {
  if (root.has("architectures")) {
    const JsonCursor name = root.at("architectures").at(std::size_t{0});
    if (name.string() != "LlamaForCausalLM")
      name.refuse("\"LlamaForCausalLM\" (other architectures are not implemented)");
  } else if (root.at("model_type").string() != "llama") {
    root.at("model_type").refuse("\"llama\" (other architectures are not implemented)");
  }
}

/// Transformers 5 moves rope_theta into rope_parameters.
double read_rope_theta(const JsonCursor& root) {
  const bool nested = root.has("rope_parameters");
  if (nested) require_default_rope(root.at("rope_parameters"));
  const JsonCursor holder = nested && !root.has("rope_theta") ? root.at("rope_parameters") : root;
  if (!holder.has("rope_theta")) return 10000.0;
  const double theta = holder.at("rope_theta").number();
  if (!(theta > 0)) holder.at("rope_theta").refuse("a number above 0");
  return theta;
}

void check_sizes(const ModelConfig& config, const JsonCursor& root) {
  if (config.heads % config.kv_heads != 0)
    root.at("num_attention_heads")
        .refuse("a multiple of num_key_value_heads, " + std::to_string(config.kv_heads), std::to_string(config.heads));
  if (config.head_dim % 2 != 0)
    root.refuse("an even head_dim (rotary embeddings turn pairs)", std::to_string(config.head_dim));
}

}  // namespace

std::int64_t ModelConfig::parameters() const {
  const std::int64_t attention = hidden_size * head_dim * (2 * heads + 2 * kv_heads);
  const std::int64_t feed_forward = 3 * hidden_size * intermediate_size;
  const std::int64_t norms = 2 * hidden_size;
  const std::int64_t embedding = vocabulary_size * hidden_size;
  return layers * (attention + feed_forward + norms) + hidden_size + embedding * (tie_word_embeddings ? 1 : 2);
}

ModelConfig model_config_from_json(const Json& json, const std::string& origin) {
  const JsonCursor root(json, origin);
  root.object();
  check_architecture(root);
  refuse_unimplemented(root);
  ModelConfig config;
  config.vocabulary_size = root.at("vocab_size").integer(1, greatest_vocabulary);
  config.hidden_size = root.at("hidden_size").integer(1, greatest_width);
  config.intermediate_size = root.at("intermediate_size").integer(1, greatest_width);
  config.layers = root.at("num_hidden_layers").integer(1, greatest_layers);
  config.heads = root.at("num_attention_heads").integer(1, greatest_heads);
  config.kv_heads = size_or(root, "num_key_value_heads", config.heads, greatest_heads);
  if (!root.has("head_dim") && config.hidden_size % config.heads != 0)
    root.at("hidden_size").refuse("a multiple of num_attention_heads, or a head_dim beside it");
  config.head_dim = size_or(root, "head_dim", config.hidden_size / config.heads, greatest_head_dim);
  config.max_positions = size_or(root, "max_position_embeddings", 2048, greatest_positions);
  config.rope_theta = read_rope_theta(root);
  config.rms_norm_epsilon = root.has("rms_norm_eps") ? root.at("rms_norm_eps").number() : 1e-6;
  if (!(config.rms_norm_epsilon >= 0)) root.at("rms_norm_eps").refuse("a number of at least 0");
  config.tie_word_embeddings = root.has("tie_word_embeddings") && root.at("tie_word_embeddings").boolean();
  config.bos_token = token_or(root, "bos_token_id", 1);
  config.eos_token = token_or(root, "eos_token_id", 2);
  config.pad_token = token_or(root, "pad_token_id", -1);
  check_sizes(config, root);
  return config;
}

Json to_json(const ModelConfig& config) {
  const auto token = [](std::int64_t id) { return id < 0 ? Json(nullptr) : Json(id); };
  return {{"architectures", Json::array({config.architecture})},
          {"model_type", "llama"},
          {"vocab_size", config.vocabulary_size},
          {"hidden_size", config.hidden_size},
          {"intermediate_size", config.intermediate_size},
          {"num_hidden_layers", config.layers},
          {"num_attention_heads", config.heads},
          {"num_key_value_heads", config.kv_heads},
          {"head_dim", config.head_dim},
          {"max_position_embeddings", config.max_positions},
          {"rope_theta", config.rope_theta},
          {"rope_scaling", nullptr},
          {"rms_norm_eps", config.rms_norm_epsilon},
          {"hidden_act", "silu"},
          {"attention_bias", false},
          {"attention_dropout", 0.0},
          {"mlp_bias", false},
          {"tie_word_embeddings", config.tie_word_embeddings},
          {"bos_token_id", token(config.bos_token)},
          {"eos_token_id", token(config.eos_token)},
          {"pad_token_id", token(config.pad_token)},
          {"initializer_range", 0.02},
          {"use_cache", true},
          {"torch_dtype", "float32"}};
}

}  // namespace retort::model
