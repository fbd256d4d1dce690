// See reference.h.
#include "runtime/reference.h"

#include <string>

namespace retort::runtime {
namespace {

Row head_of(const Row& x, std::int64_t head, std::int64_t head_dim) {
  return {x.begin() + head * head_dim, x.begin() + (head + 1) * head_dim};
}

void add(Row& target, const Row& x) {
  for (std::size_t i = 0; i < x.size(); ++i) target[i] += x[i];
}

}  // namespace

ReferenceModel::ReferenceModel(const model::ModelFolder& folder, Activations activations)
    : config_(folder.config()), activations_(activations) {
  const std::string path = folder.path().string();
  const auto linear = [&](const std::string& module) { return read_linear(folder.linear(module), module, path); };
  const auto norm = [&](const std::string& module) { return finite_f32(folder.tensor(module + ".weight"), path); };
  embedding_ = dequantized(linear("model.embed_tokens"));
  for (std::int64_t i = 0; i < config_.layers; ++i) {
    const std::string prefix = "model.layers." + std::to_string(i) + ".";
    layers_.push_back({norm(prefix + "input_layernorm"), norm(prefix + "post_attention_layernorm"),
                       linear(prefix + "self_attn.q_proj"), linear(prefix + "self_attn.k_proj"),
                       linear(prefix + "self_attn.v_proj"), linear(prefix + "self_attn.o_proj"),
                       linear(prefix + "mlp.gate_proj"), linear(prefix + "mlp.up_proj"),
                       linear(prefix + "mlp.down_proj")});
  }
  final_norm_ = norm("model.norm");
  head_ = read_linear(folder.head(), "lm_head", path);
}

Row ReferenceModel::linear(const LinearWeights& weights, const Row& x) const {
  if (activations_ == Activations::f32 || weights.shape.arithmetic == Arithmetic::f32) {
    return ref_linear(x, dequantized(weights), weights.shape.out);
  }
  const RefQuantizedRow quantized = ref_quantize_row(x);
  Row y = ref_linear_int8(quantized.codes, weights.codes, weights.scales);
  for (float& value : y) value *= quantized.scale;
  return y;
}

std::vector<Row> ReferenceModel::attention(const Layer& layer, const std::vector<Row>& rows) const {
  const std::int64_t group = config_.heads / config_.kv_heads;
  std::vector<std::vector<Row>> keys(static_cast<std::size_t>(config_.kv_heads)), values(keys.size());
  std::vector<Row> result;
  for (std::size_t t = 0; t < rows.size(); ++t) {
    const Row x = ref_rms_norm(rows[t], layer.attention_norm, config_.rms_norm_epsilon);
    const Row q = linear(layer.q, x), k = linear(layer.k, x), v = linear(layer.v, x);
    const auto position = static_cast<std::int64_t>(t);
    for (std::int64_t head = 0; head < config_.kv_heads; ++head) {
      const auto index = static_cast<std::size_t>(head);
      keys[index].push_back(ref_rotate(head_of(k, head, config_.head_dim), position, config_.rope_theta));
      values[index].push_back(head_of(v, head, config_.head_dim));
    }
    Row mixed;
    for (std::int64_t head = 0; head < config_.heads; ++head) {
      const Row query = ref_rotate(head_of(q, head, config_.head_dim), position, config_.rope_theta);
      const auto index = static_cast<std::size_t>(head / group);
      const Row out = ref_attend(query, keys[index], values[index]);
      mixed.insert(mixed.end(), out.begin(), out.end());
    }
    result.push_back(linear(layer.o, mixed));
  }
  return result;
}

Row ReferenceModel::feed_forward(const Layer& layer, const Row& x) const {
  const Row normed = ref_rms_norm(x, layer.feed_forward_norm, config_.rms_norm_epsilon);
  return linear(layer.down, ref_swiglu(linear(layer.gate, normed), linear(layer.up, normed)));
}

std::vector<float> ReferenceModel::forward_all(std::span<const std::int32_t> tokens) const {
  std::vector<Row> rows;
  for (const std::int32_t token : tokens) {
    const auto first = embedding_.begin() + token * config_.hidden_size;
    rows.emplace_back(first, first + config_.hidden_size);
  }
  for (const Layer& layer : layers_) {
    const std::vector<Row> attended = attention(layer, rows);
    for (std::size_t t = 0; t < rows.size(); ++t) {
      add(rows[t], attended[t]);
      add(rows[t], feed_forward(layer, rows[t]));
    }
  }
  std::vector<float> logits;
  for (const Row& row : rows) {
    const Row y = linear(head_, ref_rms_norm(row, final_norm_, config_.rms_norm_epsilon));
    logits.insert(logits.end(), y.begin(), y.end());
  }
  return logits;
}

}  // namespace retort::runtime
