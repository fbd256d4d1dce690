// Names and shapes are transformers' (modeling_llama.py, modeling_qwen2.py, modeling_qwen3.py,
// modeling_gemma3.py); those of quantised
// weights are compressed-tensors' (compressors/naive_quantized, compressors/pack_quantized).
#include "model/model_tensors.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "model/model_folder.h"

namespace retort::model {
namespace {

using Shape = std::vector<std::int64_t>;

std::string text_of(const Shape& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? "," : "") + std::to_string(shape[i]);
  return text + "]";
}

std::string text_of(const StoredTensor* tensor) {
  return tensor == nullptr ? "none" : name_of(tensor->type) + text_of(tensor->shape);
}

bool is_float(DataType type) {
  return type == DataType::f32 || type == DataType::f16 || type == DataType::bf16;
}

/// Those that Gemma has behind its blocks. With them, "post_attention_layernorm" is one of these and not the norm
/// before the feed-forward block.
constexpr const char* output_norms[] = {"post_attention_layernorm", "post_feedforward_layernorm"};

/// Only matrices may be stored as codes; norms and biases stay in float.
bool is_matrix(const std::string& tensor) {
  return tensor.ends_with("_proj.weight") || tensor == "lm_head.weight" || tensor == "model.embed_tokens.weight";
}

// Names of a quantised weight's parts, from that of the weight.
std::string packed_name(const std::string& weight) {
  return weight + "_packed";
}
std::string scale_name(const std::string& weight) {
  return weight + "_scale";
}
std::string shape_name(const std::string& weight) {
  return weight + "_shape";
}
std::string zero_point_name(const std::string& weight) {
  return weight + "_zero_point";
}

/// The numbers of an I32 or I64 tensor.
Shape integers_of(const StoredTensor& tensor) {
  Shape values;
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    std::int64_t wide = 0;
    std::int32_t narrow = 0;
    if (tensor.type == DataType::i64) std::memcpy(&wide, tensor.data + i * 8, sizeof(wide));
    if (tensor.type == DataType::i32) std::memcpy(&narrow, tensor.data + i * 4, sizeof(narrow));
    values.push_back(tensor.type == DataType::i64 ? wide : narrow);
  }
  return values;
}

/// Checks one weight and what belongs to it; each refusal names the tensor that is wrong.
class WeightCheck {
 public:
  WeightCheck(const TensorIndex& index, const std::vector<WeightScheme>& schemes, const std::string& origin,
              const std::string& weight, const Shape& shape)
      : index_(index), schemes_(schemes), origin_(origin), weight_(weight), shape_(shape) {}

  void run() const {
    const bool matrix = is_matrix(weight_);
    if (matrix && !schemes_.empty()) refuse_what_is_not_implemented();
    const StoredTensor* tensor = find_tensor(index_, weight_);
    if (matrix && find_tensor(index_, packed_name(weight_)) != nullptr) {
      if (tensor != nullptr) refuse(weight_, "none beside '" + packed_name(weight_) + "'", text_of(tensor));
      return check_int4();
    }
    if (tensor == nullptr) refuse(weight_, text_of(shape_) + ", as config.json asks", "none");
    if (tensor->shape != shape_) refuse(weight_, text_of(shape_) + ", as config.json asks", text_of(tensor->shape));
    if (is_float(tensor->type)) return;
    if (tensor->type != DataType::i8 || !matrix) refuse(weight_, "F32, F16 or BF16", name_of(tensor->type));
    check_int8();
  }

 private:
  [[noreturn]] void refuse(const std::string& tensor, const std::string& expected, const std::string& found) const {
    throw std::invalid_argument(origin_ + ": tensor '" + tensor + "': expected " + expected + ", found " + found);
  }

  bool stated(const WeightScheme& scheme) const {
    return std::find(schemes_.begin(), schemes_.end(), scheme) != schemes_.end();
  }

  void refuse_unstated(const std::string& tensor, const WeightScheme& scheme, const std::string& found) const {
    if (stated(scheme)) return;
    std::string names;
    for (const WeightScheme& other : schemes_) names += (names.empty() ? "" : " and ") + name_of(other);
    refuse(tensor,
           schemes_.empty() ? "F32, F16 or BF16, because config.json has no quantization_config"
                            : "float or " + names + ", as config.json's quantization_config states",
           found);
  }

  void refuse_what_is_not_implemented() const {
    for (const char* suffix : {"_g_idx", "_global_scale"})
      if (const StoredTensor* tensor = find_tensor(index_, weight_ + suffix); tensor != nullptr)
        refuse(tensor->name,
               "none, because only codes in the columns' order are implemented; quantise without actorder \"group\"",
               text_of(tensor));
    const StoredTensor* zero_point = find_tensor(index_, zero_point_name(weight_));
    if (zero_point != nullptr && find_tensor(index_, packed_name(weight_)) == nullptr)
      refuse(zero_point->name,
             "none, because zero points are implemented for packed 4-bit codes only; quantise with symmetric: true",
             text_of(zero_point));
  }

  const StoredTensor& part(const std::string& name, const std::string& expected) const {
    const StoredTensor* tensor = find_tensor(index_, name);
    if (tensor == nullptr) refuse(weight_, "'" + name + "' beside it, " + expected, "none");
    return *tensor;
  }

  void check_int8() const {
    refuse_unstated(weight_, {8, 0}, "I8");
    const std::string expected = "a float scale [" + std::to_string(shape_[0]) + ",1]";
    const StoredTensor& scale = part(scale_name(weight_), expected);
    if (!is_float(scale.type) || (scale.shape != Shape{shape_[0], 1} && scale.shape != Shape{shape_[0]}))
      refuse(weight_, expected, text_of(&scale));
  }

  void check_int4() const {
    const StoredTensor& packed = *find_tensor(index_, packed_name(weight_));
    const Shape words{shape_[0], packed_int4_columns(shape_[1])};
    if (packed.type != DataType::i32 || packed.shape != words)
      refuse(packed.name, "I32" + text_of(words) + ", 8 codes an int32", text_of(&packed));

    const std::string pair = "I64[2] or I32[2] with " + text_of(shape_);
    const StoredTensor& shape = part(shape_name(weight_), pair);
    if ((shape.type != DataType::i64 && shape.type != DataType::i32) || shape.shape != Shape{2})
      refuse(shape.name, pair, text_of(&shape));
    if (integers_of(shape) != shape_) refuse(shape.name, pair, text_of(integers_of(shape)));

    const std::string expected =
        "a float scale [" + std::to_string(shape_[0]) + ",groups], groups a divisor of " + std::to_string(shape_[1]);
    const StoredTensor& scale = part(scale_name(weight_), expected);
    if (!is_float(scale.type) || scale.shape.size() != 2 || scale.shape[0] != shape_[0] || scale.shape[1] < 1 ||
        shape_[1] % scale.shape[1] != 0)
      refuse(scale.name, expected, text_of(&scale));
    const StoredTensor* zero_point = find_tensor(index_, zero_point_name(weight_));
    const WeightScheme scheme{4, shape_[1] / scale.shape[1], zero_point == nullptr};
    const Shape zeros{packed_int4_columns(shape_[0]), scale.shape[1]};
    const std::string packed_zeros = "I32" + text_of(zeros) + ", 8 rows an int32";
    if (zero_point == nullptr && !stated(scheme) && stated({4, scheme.group_size, false}))
      part(zero_point_name(weight_), packed_zeros);
    if (zero_point != nullptr && (zero_point->type != DataType::i32 || zero_point->shape != zeros))
      refuse(zero_point->name, packed_zeros, text_of(zero_point));
    refuse_unstated(packed.name, scheme, name_of(scheme));
  }

  const TensorIndex& index_;
  const std::vector<WeightScheme>& schemes_;
  const std::string& origin_;
  const std::string& weight_;
  const Shape& shape_;
};

}  // namespace

const StoredTensor* find_tensor(const TensorIndex& index, const std::string& name) {
  const auto found = index.find(name);
  return found == index.end() ? nullptr : found->second;
}

LinearWeight find_linear(const TensorIndex& index, const std::string& module) {
  const std::string name = module + ".weight";
  LinearWeight linear;
  linear.scale = find_tensor(index, scale_name(name));
  if (const StoredTensor* packed = find_tensor(index, packed_name(name));
      packed != nullptr && linear.scale != nullptr) {
    const Shape shape = integers_of(*find_tensor(index, shape_name(name)));
    linear = {packed, linear.scale, 4, shape[1] / linear.scale->shape[1], {shape[0], shape[1]}};
    linear.zero_point = find_tensor(index, zero_point_name(name));
    return linear;
  }
  linear.weight = find_tensor(index, name);
  if (linear.weight == nullptr || linear.weight->shape.size() != 2) return {};
  linear.shape = {linear.weight->shape[0], linear.weight->shape[1]};
  if (linear.weight->type == DataType::i8)
    linear.bits = 8;
  else
    linear.scale = nullptr;
  return linear;
}

void check_tensors(const ModelConfig& config, const TensorIndex& index, const std::vector<WeightScheme>& schemes,
                   const std::string& origin) {
  for (const auto& [name, shape] : tensor_shapes(config)) WeightCheck(index, schemes, origin, name, shape).run();
}

std::vector<std::string> unknown_tensors(const ModelConfig& config, const TensorIndex& index) {
  TensorIndex unknown = index;
  for (const auto& [name, shape] : tensor_shapes(config)) {
    const StoredTensor* tensor = find_tensor(index, name);
    unknown.erase(name);
    if (tensor != nullptr && tensor->type == DataType::i8) unknown.erase(scale_name(name));
    if (find_tensor(index, packed_name(name)) == nullptr || !is_matrix(name)) continue;
    for (const std::string& part : {packed_name(name), scale_name(name), shape_name(name), zero_point_name(name)})
      unknown.erase(part);
  }
  std::vector<std::string> names;
  for (const auto& [name, tensor] : unknown) names.push_back(name);
  return names;
}

void refuse_unknown_tensors(const ModelConfig& config, const TensorIndex& index, const std::string& origin) {
  const std::vector<std::string> unknown = unknown_tensors(config, index);
  if (!unknown.empty())
    throw std::invalid_argument(origin + ": tensor '" + unknown.front() +
                                "': expected only tensors of a model of this shape (see tensor_shapes)");
}

std::vector<std::pair<std::string, Shape>> tensor_shapes(const ModelConfig& config) {
  const std::int64_t D = config.hidden_size;
  const std::int64_t F = config.intermediate_size;
  const std::int64_t queries = config.heads * config.head_dim;
  const std::int64_t keys = config.kv_heads * config.head_dim;
  std::vector<std::pair<std::string, Shape>> shapes = {{"model.embed_tokens.weight", {config.vocabulary_size, D}}};
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    shapes.insert(shapes.end(), {{prefix + "input_layernorm.weight", {D}},
                                 {prefix + "self_attn.q_proj.weight", {queries, D}},
                                 {prefix + "self_attn.k_proj.weight", {keys, D}},
                                 {prefix + "self_attn.v_proj.weight", {keys, D}},
                                 {prefix + "self_attn.o_proj.weight", {D, queries}},
                                 {prefix + config.feed_forward_norm() + ".weight", {D}},
                                 {prefix + "mlp.gate_proj.weight", {F, D}},
                                 {prefix + "mlp.up_proj.weight", {F, D}},
                                 {prefix + "mlp.down_proj.weight", {D, F}}});
  }
  shapes.push_back({"model.norm.weight", {D}});
  if (!config.tie_word_embeddings) shapes.push_back({"lm_head.weight", {config.vocabulary_size, D}});
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    const std::string attention = "model.layers." + std::to_string(layer) + ".self_attn.";
    if (config.input_bias)
      shapes.insert(shapes.end(), {{attention + "q_proj.bias", {queries}},
                                   {attention + "k_proj.bias", {keys}},
                                   {attention + "v_proj.bias", {keys}}});
    if (config.output_bias) shapes.push_back({attention + "o_proj.bias", {D}});
    if (config.block_output_norm)
      for (const char* norm : output_norms)
        shapes.push_back({"model.layers." + std::to_string(layer) + "." + norm + ".weight", {D}});
    if (config.query_key_norm)
      shapes.insert(shapes.end(), {{attention + "q_norm.weight", {config.head_dim}},
                                   {attention + "k_norm.weight", {config.head_dim}}});
  }
  return shapes;
}

}  // namespace retort::model
