// See reference.h.
#include "runtime/decoder/reference.h"

#include <algorithm>
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
  const auto linear = [&](const std::string& module) { return read(folder.linear(module)); };
  const auto norm = [&](const std::string& module) { return norm_weight(folder, module); };
  embedding_ = model::to_f32(folder.linear("model.embed_tokens"));
  for (std::int64_t i = 0; i < config_.layers; ++i) {
    const std::string prefix = "model.layers." + std::to_string(i) + ".";
    layers_.push_back({norm(prefix + "input_layernorm"), norm(prefix + config_.feed_forward_norm()),
                       linear(prefix + "self_attn.q_proj"), linear(prefix + "self_attn.k_proj"),
                       linear(prefix + "self_attn.v_proj"), linear(prefix + "self_attn.o_proj"),
                       linear(prefix + "mlp.gate_proj"), linear(prefix + "mlp.up_proj"),
                       linear(prefix + "mlp.down_proj")});
    Layer& layer = layers_.back();
    const auto vector = [&](const std::string& name) {
      return finite_f32(folder.tensor(prefix + "self_attn." + name), path);
    };
    if (config_.input_bias) {
      layer.q_bias = vector("q_proj.bias");
      layer.k_bias = vector("k_proj.bias");
      layer.v_bias = vector("v_proj.bias");
    }
    if (config_.output_bias) layer.o_bias = vector("o_proj.bias");
    if (config_.query_key_norm) {
      layer.query_norm = norm(prefix + "self_attn.q_norm");
      layer.key_norm = norm(prefix + "self_attn.k_norm");
    }
    if (config_.block_output_norm) {
      layer.attention_output_norm = norm(prefix + "post_attention_layernorm");
      layer.feed_forward_output_norm = norm(prefix + "post_feedforward_layernorm");
    }
    layer.frequencies = model::rope_frequencies(config_, i);
    layer.rope_factor = config_.turns_locally(i) ? 1.0 : config_.rope_scaling.attention_factor;
    layer.window = config_.window(i);
  }
  final_norm_ = norm("model.norm");
  head_ = read(folder.head());
}

ReferenceModel::Weight ReferenceModel::read(const model::LinearWeight& weight) {
  Weight result{model::to_f32(weight)};
  result.out = weight.shape[0];
  if (weight.activation_bits != 8) return result;
  result.codes = model::codes_of(weight);
  result.scales = model::to_f32(*weight.scale);
  return result;
}

Row ReferenceModel::linear(const Weight& weights, const Row& x) const {
  if (activations_ == Activations::f32 || weights.codes.empty()) return ref_linear(x, weights.values, weights.out);
  return ref_linear_int8_rows(x, weights.codes, weights.scales);
}

Row ReferenceModel::biased(const Weight& weights, const Row& bias, const Row& x) const {
  Row y = linear(weights, x);
  if (!bias.empty()) add(y, bias);
  return y;
}

Row ReferenceModel::prepared(const Layer& layer, const Row& projected, std::int64_t head, const Row& norm,
                             std::int64_t position) const {
  Row x = head_of(projected, head, config_.head_dim);
  if (!norm.empty()) x = ref_rms_norm(x, norm, config_.rms_norm_epsilon);
  x = ref_rotate(x, position, layer.frequencies);
  for (float& value : x) value *= static_cast<float>(layer.rope_factor);
  return x;
}

std::vector<Row> ReferenceModel::attention(const Layer& layer, const std::vector<Row>& rows,
                                           std::int64_t both_ways) const {
  const std::int64_t group = config_.heads / config_.kv_heads;
  std::vector<std::vector<Row>> keys(static_cast<std::size_t>(config_.kv_heads)), values(keys.size());
  std::vector<Row> result, queries;
  for (std::size_t t = 0; t < rows.size(); ++t) {
    const Row x = ref_rms_norm(rows[t], layer.attention_norm, config_.rms_norm_epsilon);
    const Row q = biased(layer.q, layer.q_bias, x), k = biased(layer.k, layer.k_bias, x),
              v = biased(layer.v, layer.v_bias, x);
    const auto position = static_cast<std::int64_t>(t);
    queries.push_back(q);
    for (std::int64_t head = 0; head < config_.kv_heads; ++head) {
      const auto index = static_cast<std::size_t>(head);
      keys[index].push_back(prepared(layer, k, head, layer.key_norm, position));
      values[index].push_back(head_of(v, head, config_.head_dim));
    }
  }
  for (std::size_t t = 0; t < rows.size(); ++t) {
    const auto position = static_cast<std::int64_t>(t);
    const std::int64_t first = layer.window > 0 ? std::max<std::int64_t>(0, position + 1 - layer.window) : 0;
    const std::int64_t end = position < both_ways ? both_ways : position + 1;
    Row mixed;
    for (std::int64_t head = 0; head < config_.heads; ++head) {
      const auto index = static_cast<std::size_t>(head / group);
      const Row out =
          ref_attend(prepared(layer, queries[t], head, layer.query_norm, position),
                     {keys[index].begin() + first, keys[index].begin() + end},
                     {values[index].begin() + first, values[index].begin() + end}, config_.attention_divisor());
      mixed.insert(mixed.end(), out.begin(), out.end());
    }
    result.push_back(output(biased(layer.o, layer.o_bias, mixed), layer.attention_output_norm));
  }
  return result;
}

Row ReferenceModel::output(const Row& x, const Row& norm) const {
  return norm.empty() ? x : ref_rms_norm(x, norm, config_.rms_norm_epsilon);
}

Row ReferenceModel::feed_forward(const Layer& layer, const Row& x) const {
  const Row normed = ref_rms_norm(x, layer.feed_forward_norm, config_.rms_norm_epsilon);
  const auto gated = config_.activation == model::Activation::gelu_tanh ? ref_geglu : ref_swiglu;
  return output(linear(layer.down, gated(linear(layer.gate, normed), linear(layer.up, normed))),
                layer.feed_forward_output_norm);
}

std::vector<float> ReferenceModel::forward_all(std::span<const std::int32_t> tokens) const {
  std::vector<Row> rows;
  for (const std::int32_t token : tokens) {
    const auto first = embedding_.begin() + token * config_.hidden_size;
    rows.emplace_back(first, first + config_.hidden_size);
    for (float& value : rows.back()) value *= static_cast<float>(config_.embedding_factor());
  }
  for (const Layer& layer : layers_) {
    const std::vector<Row> attended = attention(layer, rows, config_.read_both_ways(tokens));
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
