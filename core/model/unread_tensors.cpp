#include "model/unread_tensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <stdexcept>

namespace retort::model {
namespace {

constexpr char head[] = "lm_head.weight";
constexpr char embedding[] = "model.embed_tokens.weight";
constexpr std::array<const char*, 5> parts = {"", "_packed", "_scale", "_shape", "_zero_point"};

bool is_plain_float(DataType type) {
  return type == DataType::f32 || type == DataType::f16 || type == DataType::bf16;
}

/// A weight's part in the two: absent in both, or the same values.
bool same_content(const StoredTensor* a, const StoredTensor* b) {
  if (a == nullptr || b == nullptr) return a == b;
  if (a->shape != b->shape) return false;
  if (a->type == b->type) return a->bytes() == 0 || std::memcmp(a->data, b->data, a->bytes()) == 0;
  return is_plain_float(a->type) && is_plain_float(b->type) && to_f32(*a) == to_f32(*b);
}

bool is_harmless(const std::string& name) {
  return name.ends_with("rotary_emb.inv_freq");
}

bool is_projection_bias(const std::string& name) {
  return name.starts_with("model.layers.") && name.ends_with("_proj.bias");
}

bool is_zero(const StoredTensor& tensor) {
  if (!is_plain_float(tensor.type)) return false;
  const std::vector<float> values = to_f32(tensor);
  return std::all_of(values.begin(), values.end(), [](float value) { return value == 0; });
}

/// The layer of "model.layers.N.…", or -1.
std::int64_t layer_of(const std::string& name) {
  constexpr std::string_view prefix = "model.layers.";
  if (!name.starts_with(prefix)) return -1;
  const std::size_t end = name.find('.', prefix.size());
  const std::string digits = name.substr(prefix.size(), end - prefix.size());
  const bool number = !digits.empty() && digits.size() < 10 &&
                      std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  return number ? std::stoll(digits) : -1;
}

void refuse_bias(const ModelConfig& config, const std::string& name, const std::string& origin) {
  const bool attention = name.find(".self_attn.") != std::string::npos;
  throw std::invalid_argument(
      origin + ": tensor '" + name + "': expected none, because config.json's " +
      (attention ? "attention_bias" : "mlp_bias") + " is false or absent in a " + config.architecture +
      ", found one that is not 0; a model that was trained with it needs " +
      (attention ? "attention_bias true (and all four biases)" : "mlp_bias, which is not implemented") +
      ", another one should not have the tensor");
}

std::string joined(const std::vector<std::string>& names) {
  constexpr std::size_t shown = 4;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), shown); ++i) text += (i > 0 ? ", " : "") + names[i];
  return names.size() > shown ? text + " and " + std::to_string(names.size() - shown) + " more" : text;
}

}  // namespace

void settle_head(ModelConfig& config, TensorIndex& index, std::vector<std::string>& notices) {
  if (!config.tie_word_embeddings) return;
  const auto part = [&](const char* weight, const char* suffix) {
    return find_tensor(index, std::string(weight) + suffix);
  };
  if (part(head, "") == nullptr && part(head, "_packed") == nullptr) return;
  const bool same = std::all_of(parts.begin(), parts.end(), [&](const char* suffix) {
    return same_content(part(head, suffix), part(embedding, suffix));
  });
  if (!same) {
    config.tie_word_embeddings = false;
    notices.push_back(std::string("config.json has tie_word_embeddings true, but ") + head + " and " + embedding +
                      " differ: the stored " + head + " is the output matrix, as in Transformers");
    return;
  }
  for (const char* suffix : parts) index.erase(std::string(head) + suffix);
  notices.push_back(std::string(head) + " repeats " + embedding + ", to which the head is tied: read once");
}

void set_aside_unread(const ModelConfig& config, TensorIndex& index, const std::string& origin,
                      std::vector<std::string>& notices) {
  std::map<std::int64_t, std::size_t> layers;  // past the count, with how many tensors
  std::vector<std::string> others;
  for (const std::string& name : unknown_tensors(config, index)) {
    if (name == "lm_head.weight_scale") continue;  // Retort's own, beside a tied int8 embedding
    const std::int64_t layer = layer_of(name);
    if (layer >= config.layers)
      ++layers[layer];
    else if (is_projection_bias(name) && !is_zero(*find_tensor(index, name)))
      refuse_bias(config, name, origin);
    else if (!is_harmless(name))
      others.push_back(name);
    index.erase(name);
  }
  for (const auto& [layer, tensors] : layers)
    notices.push_back("model.layers." + std::to_string(layer) + ".* (" + std::to_string(tensors) +
                      " tensors) is not read: config.json's num_hidden_layers is " + std::to_string(config.layers));
  if (!others.empty())
    notices.push_back(std::to_string(others.size()) +
                      (others.size() == 1 ? " tensor is not read: " : " tensors are not read: ") + joined(others));
}

}  // namespace retort::model
