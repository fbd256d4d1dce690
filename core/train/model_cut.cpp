#include "train/model_cut.h"

#include <numeric>

namespace retort::train {
namespace {

using torch::Tensor;
using Indices = std::vector<std::int64_t>;

/// What stays of an axis; all of it where the plan says nothing.
Indices kept_of(const host::PruneKeeps& plan, std::uint32_t axis, std::int64_t layer, std::int64_t size) {
  for (const host::PruneKeep& keep : plan)
    if (keep.axis == axis && keep.layer == layer) return keep.indices;
  Indices all(static_cast<std::size_t>(size));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

Tensor as_tensor(const Indices& indices) {
  return torch::tensor(indices, torch::kInt64);
}

/// The columns or rows of whole heads.
Tensor head_columns(const Indices& heads, std::int64_t width) {
  return (as_tensor(heads).unsqueeze(1) * width + torch::arange(width).unsqueeze(0)).reshape({-1});
}

/// Where a token of the configuration is afterwards; -1 where there is none, or it is gone.
std::int64_t place_of(std::int64_t token, const Tensor& kept) {
  const Tensor found = (kept == token).nonzero();
  return token >= 0 && found.numel() > 0 ? found[0][0].item<std::int64_t>() : -1;
}

}  // namespace

std::unique_ptr<DecoderModule> cut_decoder(DecoderModule& full, const host::PruneKeeps& plan) {
  torch::NoGradGuard no_grad;
  const model::ModelConfig& old = full.config();
  const Indices layers = kept_of(plan, RETORT_AXIS_LAYERS, -1, old.layers);
  const Tensor hidden = as_tensor(kept_of(plan, RETORT_AXIS_HIDDEN, -1, old.hidden_size));
  std::vector<Indices> kv_heads, channels;
  for (const std::int64_t layer : layers) {
    kv_heads.push_back(kept_of(plan, RETORT_AXIS_KV_HEADS, layer, old.kv_heads));
    channels.push_back(kept_of(plan, RETORT_AXIS_FEED_FORWARD, layer, old.intermediate_size));
  }
  model::ModelConfig config = old;
  config.layers = static_cast<std::int64_t>(layers.size());
  config.hidden_size = hidden.size(0);
  config.kv_heads = static_cast<std::int64_t>(kv_heads.front().size());
  config.heads = config.kv_heads * (old.heads / old.kv_heads);
  config.intermediate_size = static_cast<std::int64_t>(channels.front().size());
  config.sliding_layers.clear();
  for (const std::int64_t layer : layers)
    if (!old.sliding_layers.empty())
      config.sliding_layers.push_back(old.sliding_layers[static_cast<std::size_t>(layer)]);

  const Tensor tokens = as_tensor(kept_of(plan, RETORT_AXIS_VOCABULARY, -1, old.vocabulary_size));
  config.vocabulary_size = tokens.size(0);
  for (std::int64_t* token : {&config.bos_token, &config.eos_token, &config.pad_token, &config.prompt_end_token})
    *token = place_of(*token, tokens);

  auto small = std::make_unique<DecoderModule>(config, 0);
  const auto move = [&](const std::string& to, const std::string& from, const Tensor& rows, const Tensor& columns) {
    Tensor weight = full.weight(from);
    if (rows.defined()) weight = weight.index_select(0, rows);
    if (columns.defined()) weight = weight.index_select(1, columns);
    small->weight(to).copy_(weight);
  };
  move("model.embed_tokens.weight", "model.embed_tokens.weight", tokens, hidden);
  move("model.norm.weight", "model.norm.weight", hidden, {});
  if (!config.tie_word_embeddings) move("lm_head.weight", "lm_head.weight", tokens, hidden);
  const std::int64_t group = old.heads / old.kv_heads * old.head_dim;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::string to = "model.layers." + std::to_string(i) + ".",
                      from = "model.layers." + std::to_string(layers[i]) + ".";
    const Tensor query = head_columns(kv_heads[i], group), key = head_columns(kv_heads[i], old.head_dim),
                 channel = as_tensor(channels[i]);
    const auto matrix = [&](const char* name, const Tensor& rows, const Tensor& columns) {
      move(to + name, from + name, rows, columns);
    };
    matrix("input_layernorm.weight", hidden, {});
    matrix("self_attn.q_proj.weight", query, hidden);
    matrix("self_attn.k_proj.weight", key, hidden);
    matrix("self_attn.v_proj.weight", key, hidden);
    matrix("self_attn.o_proj.weight", hidden, query);
    matrix((std::string(config.feed_forward_norm()) + ".weight").c_str(), hidden, {});
    if (config.block_output_norm) {
      matrix("post_attention_layernorm.weight", hidden, {});
      matrix("post_feedforward_layernorm.weight", hidden, {});
    }
    matrix("mlp.gate_proj.weight", channel, hidden);
    matrix("mlp.up_proj.weight", channel, hidden);
    matrix("mlp.down_proj.weight", hidden, channel);
    if (config.input_bias) {
      matrix("self_attn.q_proj.bias", query, {});
      matrix("self_attn.k_proj.bias", key, {});
      matrix("self_attn.v_proj.bias", key, {});
    }
    if (config.output_bias) matrix("self_attn.o_proj.bias", hidden, {});
    if (config.query_key_norm) {
      matrix("self_attn.q_norm.weight", {}, {});
      matrix("self_attn.k_norm.weight", {}, {});
    }
  }
  return small;
}

}  // namespace retort::train
