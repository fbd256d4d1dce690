// config.json of each family, with the defaults of Transformers' configuration classes for absent fields.
#include "model/model_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "host/base/json_cursor.h"
#include "model/half_precision.h"
#include "model/rope_source.h"

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

std::int64_t size_or(const host::JsonCursor& root, const char* key, std::int64_t absent, std::int64_t greatest) {
  return root.has(key) ? root.at(key).integer(1, greatest) : absent;
}

/// A token id, null for none (-1), or a list of which the first counts (Llama 3 lists several ends).
std::int64_t token_or(const host::JsonCursor& root, const char* key, std::int64_t absent) {
  if (!root.json().contains(key)) return absent;
  host::JsonCursor cursor = root.at(key);
  if (cursor.json().is_array() && cursor.size() > 0) cursor = cursor.at(std::size_t{0});
  return cursor.json().is_null() ? -1 : cursor.integer(-1, greatest_vocabulary);
}

/// `key` may be absent, null, or `neutral`; any other value changes the maths in a way that is not implemented.
void require_neutral(const host::JsonCursor& root, const char* key, const Json& neutral) {
  if (root.has(key) && root.at(key).json() != neutral)
    root.at(key).refuse(neutral.dump() + " (other values of " + key + " are not implemented)");
}

/// What distinguishes a family, and the defaults of its configuration class.
struct Family {
  const char* architecture;
  const char* model_type;
  bool reads_attention_bias;  ///< attention_bias is a field of it; then it is of all four projections
  bool input_bias;            ///< whatever the fields say
  bool query_key_norm;
  bool reads_sliding_window;
  std::int64_t max_positions;
  std::int64_t head_dim;  ///< 0 = hidden_size / num_attention_heads
  std::int64_t kv_heads;  ///< 0 = num_attention_heads
  std::int64_t bos_token, eos_token, pad_token;
  bool prefix;  ///< the prompt is read in both directions: Retort's own, which no other program loads by mistake
  bool gemma;   ///< norms of 1 + w on both sides of both blocks, scaled embedding, GeGLU, two rotary bases
};

constexpr std::array<Family, 5> families = {{
    {"LlamaForCausalLM", "llama", true, false, false, false, 2048, 0, 0, 1, 2, -1, false, false},
    {"PrefixLlamaForCausalLM", "prefix_llama", true, false, false, false, 2048, 0, 0, 1, 2, -1, true, false},
    {"Qwen2ForCausalLM", "qwen2", false, true, false, true, 32768, 0, 32, -1, -1, -1, false, false},
    {"Qwen3ForCausalLM", "qwen3", true, false, true, true, 32768, 128, 32, -1, -1, -1, false, false},
    {"Gemma3ForCausalLM", "gemma3_text", true, false, true, true, 131072, 256, 4, 2, 1, 0, false, true},
}};

constexpr double gemma_attention_scalar = 256;  // Gemma3TextConfig's
constexpr std::int64_t gemma_pattern = 6;       // five layers slide, one looks at everything

void refuse_unimplemented(const Family& family, const host::JsonCursor& root) {
  if (family.gemma) {
    require_neutral(root, "hidden_activation", "gelu_pytorch_tanh");
    require_neutral(root, "hidden_act", "gelu_pytorch_tanh");
    require_neutral(root, "use_bidirectional_attention", false);
  } else {
    require_neutral(root, "hidden_act", "silu");
  }
  for (const char* key : {"attn_logit_softcapping", "final_logit_softcapping"})
    if (root.has(key)) root.at(key).refuse("null (soft caps, as Gemma 2 has them, are not implemented)");
  require_neutral(root, "mlp_bias", false);
  require_neutral(root, "rope_interleaved", false);
  require_neutral(root, "is_encoder_decoder", false);
  // What other families do to logits and residuals: a head that does not know it trains on other probabilities.
  for (const char* factor : {"logit_scale", "logits_scaling", "embedding_multiplier", "residual_multiplier"})
    require_neutral(root, factor, 1.0);
}

const Family& family_of(const host::JsonCursor& root) {
  std::string known;
  const bool named = root.has("architectures");
  const host::JsonCursor name = named ? root.at("architectures").at(std::size_t{0}) : root.at("model_type");
  const std::string found = name.string();
  for (const Family& family : families) {
    const char* own = named ? family.architecture : family.model_type;
    if (found == own) return family;
    known += std::string(known.empty() ? "\"" : ", \"") + own + "\"";
  }
  name.refuse("one of " + known + " (other architectures are not implemented)");
}

void read_rope(const host::JsonCursor& root, const std::string& origin, ModelConfig& config) {
  const RopeSource source = rope_source(root, config.max_positions);
  const host::JsonCursor rope(source.values, origin, source.pointer);
  require_neutral(rope, "partial_rotary_factor", 1.0);
  if (rope.has("rope_theta")) config.rope_theta = rope.at("rope_theta").number();
  if (!(config.rope_theta > 0)) rope.at("rope_theta").refuse("a number above 0");
  const bool typed = rope.has("rope_type") || rope.has("type");
  if (!typed && rope.has("factor")) rope.refuse("a rope_type beside the factor");
  if (typed) config.rope_scaling = rope_scaling_from_json(rope, config.max_positions);
}

/// layer_types: a name a layer; what slides.
std::vector<bool> read_layer_types(const host::JsonCursor& types, std::int64_t layers) {
  if (static_cast<std::int64_t>(types.array().size()) != layers)
    types.refuse(std::to_string(layers) + " names, one a layer", std::to_string(types.size()));
  std::vector<bool> sliding;
  for (std::size_t i = 0; i < types.size(); ++i) {
    const std::string type = types.at(i).string();
    if (type != "full_attention" && type != "sliding_attention")
      types.at(i).refuse("\"full_attention\" or \"sliding_attention\"");
    sliding.push_back(type == "sliding_attention");
  }
  return sliding;
}

bool has_sliding(const ModelConfig& config) {
  return std::find(config.sliding_layers.begin(), config.sliding_layers.end(), true) != config.sliding_layers.end();
}

/// Gemma names the layers one by one, or says that every n-th looks at everything; where it says both, they must agree.
void read_gemma_windows(const host::JsonCursor& root, ModelConfig& config) {
  const char* key = root.has("sliding_window_pattern") ? "sliding_window_pattern" : "_sliding_window_pattern";
  const std::int64_t pattern = size_or(root, key, gemma_pattern, greatest_layers);
  std::vector<bool> by_pattern;
  for (std::int64_t i = 0; i < config.layers; ++i) by_pattern.push_back((i + 1) % pattern != 0);
  config.sliding_layers =
      root.has("layer_types") ? read_layer_types(root.at("layer_types"), config.layers) : by_pattern;
  // With an underscore it is what a config class has kept; names count beside it.
  if (*key != '_' && root.has(key) && config.sliding_layers != by_pattern)
    root.at(key).refuse("the pattern of layer_types, or none (every " + std::to_string(pattern) +
                        "th layer looking at everything is another)");
  if (has_sliding(config))
    config.sliding_window = size_or(root, "sliding_window", 4096, greatest_positions);
  else
    config.sliding_layers.clear();
}

/// The base of the layers that slide: rope_local_base_freq, or (Transformers 5) their own of rope_parameters.
void read_local_rope(const host::JsonCursor& root, const std::string& origin, ModelConfig& config) {
  if (!has_sliding(config)) return;
  const RopeSource source = local_rope_source(root);
  const host::JsonCursor rope(source.values, origin, source.pointer);
  if (!rope.has("rope_theta"))
    root.refuse(
        "a rope_local_base_freq (the rotary base of the layers that slide), or rope_parameters with a "
        "rope_theta of \"sliding_attention\"",
        "neither");
  require_neutral(rope, "rope_type", "default");
  require_neutral(rope, "partial_rotary_factor", 1.0);
  config.local_rope_theta = rope.at("rope_theta").number();
  if (!(config.local_rope_theta > 0)) rope.at("rope_theta").refuse("a number above 0");
}

/// What only this family has.
void read_gemma(const host::JsonCursor& root, ModelConfig& config) {
  config.activation = Activation::gelu_tanh;
  config.norm_adds_one = config.block_output_norm = true;
  config.attention_scalar =
      root.has("query_pre_attn_scalar") ? root.at("query_pre_attn_scalar").number() : gemma_attention_scalar;
  if (!(config.attention_scalar > 0)) root.at("query_pre_attn_scalar").refuse("a number above 0");
  const char* key = root.has("dtype") ? "dtype" : "torch_dtype";
  config.embedding_scale =
      root.has(key) && root.at(key).string() == "bfloat16" ? EmbeddingScale::bf16 : EmbeddingScale::f32;
}

/// Qwen names the layers that slide one by one, or by the first of them.
void read_sliding_window(const Family& family, const host::JsonCursor& root, ModelConfig& config) {
  if (!family.reads_sliding_window) {
    if (root.has("sliding_window")) root.at("sliding_window").refuse("null (this family has no sliding window here)");
    return;
  }
  const bool used = root.has("use_sliding_window") && root.at("use_sliding_window").boolean();
  const std::int64_t window = used && root.json().contains("sliding_window") && !root.has("sliding_window")
                                  ? 0
                                  : size_or(root, "sliding_window", 4096, greatest_positions);
  std::vector<bool> sliding;
  if (root.has("layer_types")) {
    sliding = read_layer_types(root.at("layer_types"), config.layers);
  } else if (used && window > 0) {
    const std::int64_t first =
        root.has("max_window_layers") ? root.at("max_window_layers").integer(0, greatest_layers) : 28;
    for (std::int64_t i = 0; i < config.layers; ++i) sliding.push_back(i >= first);
  }
  if (std::find(sliding.begin(), sliding.end(), true) == sliding.end()) return;
  if (!used || window == 0)
    root.at("layer_types").refuse("no \"sliding_attention\" without use_sliding_window and a sliding_window");
  config.sliding_layers = std::move(sliding);
  config.sliding_window = window;
}

void check_sizes(const ModelConfig& config, const host::JsonCursor& root) {
  if (config.heads % config.kv_heads != 0)
    root.at("num_attention_heads")
        .refuse("a multiple of num_key_value_heads, " + std::to_string(config.kv_heads), std::to_string(config.heads));
  if (config.head_dim % 2 != 0)
    root.refuse("an even head_dim (rotary embeddings turn pairs)", std::to_string(config.head_dim));
}

}  // namespace

std::int64_t ModelConfig::parameters() const {
  std::int64_t attention = hidden_size * head_dim * (2 * heads + 2 * kv_heads);
  if (input_bias) attention += head_dim * (heads + 2 * kv_heads);
  if (output_bias) attention += hidden_size;
  if (query_key_norm) attention += 2 * head_dim;
  const std::int64_t feed_forward = 3 * hidden_size * intermediate_size;
  const std::int64_t norms = (block_output_norm ? 4 : 2) * hidden_size;
  const std::int64_t embedding = vocabulary_size * hidden_size;
  return layers * (attention + feed_forward + norms) + hidden_size + embedding * (tie_word_embeddings ? 1 : 2);
}

double ModelConfig::attention_divisor() const {
  return std::sqrt(attention_scalar > 0 ? attention_scalar : static_cast<double>(head_dim));
}

double ModelConfig::embedding_factor() const {
  if (embedding_scale == EmbeddingScale::none) return 1.0;
  const auto root = static_cast<float>(std::sqrt(static_cast<double>(hidden_size)));
  return static_cast<double>(embedding_scale == EmbeddingScale::bf16 ? from_bf16(to_bf16(root)) : root);
}

std::vector<double> rope_frequencies(const ModelConfig& config, std::int64_t layer) {
  return config.turns_locally(layer) ? rope_frequencies({}, config.local_rope_theta, config.head_dim)
                                     : rope_frequencies(config.rope_scaling, config.rope_theta, config.head_dim);
}

ModelConfig model_config_from_json(const Json& json, const std::string& origin) {
  const host::JsonCursor root(json, origin);
  root.object();
  const Family& family = family_of(root);
  refuse_unimplemented(family, root);
  ModelConfig config;
  config.architecture = family.architecture;
  config.vocabulary_size = root.at("vocab_size").integer(1, greatest_vocabulary);
  config.hidden_size = root.at("hidden_size").integer(1, greatest_width);
  config.intermediate_size = root.at("intermediate_size").integer(1, greatest_width);
  config.layers = root.at("num_hidden_layers").integer(1, greatest_layers);
  config.heads = root.at("num_attention_heads").integer(1, greatest_heads);
  // Where Qwen's class has a number of its own, null asks for as many as there are query heads.
  const bool default_kv_heads = family.kv_heads > 0 && !root.json().contains("num_key_value_heads");
  config.kv_heads =
      size_or(root, "num_key_value_heads", default_kv_heads ? family.kv_heads : config.heads, greatest_heads);
  const bool default_head_dim = family.head_dim > 0 && !root.json().contains("head_dim");
  if (!root.has("head_dim") && !default_head_dim && config.hidden_size % config.heads != 0)
    root.at("hidden_size").refuse("a multiple of num_attention_heads, or a head_dim beside it");
  config.head_dim = size_or(root, "head_dim", default_head_dim ? family.head_dim : config.hidden_size / config.heads,
                            greatest_head_dim);
  config.max_positions = size_or(root, "max_position_embeddings", family.max_positions, greatest_positions);
  if (family.gemma) config.rope_theta = 1e6;
  read_rope(root, origin, config);
  const bool attention_bias =
      family.reads_attention_bias && root.has("attention_bias") && root.at("attention_bias").boolean();
  config.input_bias = family.input_bias || attention_bias;
  config.output_bias = attention_bias;
  config.query_key_norm = family.query_key_norm;
  if (family.gemma) {
    read_gemma(root, config);
    read_gemma_windows(root, config);
    read_local_rope(root, origin, config);
  } else {
    read_sliding_window(family, root, config);
  }
  config.rms_norm_epsilon = root.has("rms_norm_eps") ? root.at("rms_norm_eps").number() : 1e-6;
  if (!(config.rms_norm_epsilon >= 0)) root.at("rms_norm_eps").refuse("a number of at least 0");
  config.tie_word_embeddings =
      root.has("tie_word_embeddings") ? root.at("tie_word_embeddings").boolean() : family.gemma;
  config.bos_token = token_or(root, "bos_token_id", family.bos_token);
  config.eos_token = token_or(root, "eos_token_id", family.eos_token);
  config.pad_token = token_or(root, "pad_token_id", family.pad_token);
  if (family.prefix) config.prompt_end_token = root.at("prompt_end_token_id").integer(0, config.vocabulary_size - 1);
  check_sizes(config, root);
  return config;
}

namespace {

/// Both spellings of the rotary bases: Transformers 4 reads rope_local_base_freq, Transformers 5 rope_parameters.
void add_gemma(const ModelConfig& config, Json& json) {
  json.erase("hidden_act");
  json["hidden_activation"] = "gelu_pytorch_tanh";
  const double scalar = config.attention_scalar > 0 ? config.attention_scalar : static_cast<double>(config.head_dim);
  // A whole number in Transformers' class.
  json["query_pre_attn_scalar"] = scalar == std::floor(scalar) ? Json(static_cast<std::int64_t>(scalar)) : Json(scalar);
  json["attn_logit_softcapping"] = json["final_logit_softcapping"] = nullptr;
  json["torch_dtype"] = config.embedding_scale == EmbeddingScale::bf16 ? "bfloat16" : "float32";
  json["sliding_window"] = config.sliding_window > 0 ? config.sliding_window : 4096;
  json["rope_local_base_freq"] = config.local_rope_theta > 0 ? config.local_rope_theta : config.rope_theta;
  json["layer_types"] = Json::array();
  for (std::int64_t i = 0; i < config.layers; ++i)
    json["layer_types"].push_back(config.window(i) > 0 ? "sliding_attention" : "full_attention");
}

}  // namespace

Json to_json(const ModelConfig& config) {
  const auto token = [](std::int64_t id) { return id < 0 ? Json(nullptr) : Json(id); };
  const auto* family = std::find_if(families.begin(), families.end(),
                                    [&](const Family& known) { return config.architecture == known.architecture; });
  if (family == families.end())
    throw std::invalid_argument("architecture: expected one that config.json can name, found \"" + config.architecture +
                                "\"");
  Json json = {{"architectures", Json::array({config.architecture})},
               {"model_type", family->model_type},
               {"vocab_size", config.vocabulary_size},
               {"hidden_size", config.hidden_size},
               {"intermediate_size", config.intermediate_size},
               {"num_hidden_layers", config.layers},
               {"num_attention_heads", config.heads},
               {"num_key_value_heads", config.kv_heads},
               {"head_dim", config.head_dim},
               {"max_position_embeddings", config.max_positions},
               {"rope_theta", config.rope_theta},
               {"rope_scaling", to_json(config.rope_scaling)},
               {"rms_norm_eps", config.rms_norm_epsilon},
               {"hidden_act", "silu"},
               {"attention_dropout", 0.0},
               {"tie_word_embeddings", config.tie_word_embeddings},
               {"bos_token_id", token(config.bos_token)},
               {"eos_token_id", token(config.eos_token)},
               {"pad_token_id", token(config.pad_token)},
               {"initializer_range", 0.02},
               {"use_cache", true},
               {"torch_dtype", "float32"}};
  if (family->reads_attention_bias) json["attention_bias"] = config.output_bias;
  if (std::string(family->model_type) == "llama" || family->prefix) json["mlp_bias"] = false;
  if (family->prefix) json["prompt_end_token_id"] = token(config.prompt_end_token);
  if (family->gemma) {
    add_gemma(config, json);
  } else if (family->reads_sliding_window) {
    const bool slides = !config.sliding_layers.empty();
    json["use_sliding_window"] = slides;
    json["sliding_window"] = slides ? Json(config.sliding_window) : Json(nullptr);
    json["layer_types"] = Json::array();
    for (std::int64_t i = 0; i < config.layers; ++i)
      json["layer_types"].push_back(config.window(i) > 0 ? "sliding_attention" : "full_attention");
  }
  return json;
}

}  // namespace retort::model
