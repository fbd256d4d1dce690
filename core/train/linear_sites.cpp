#include "train/linear_sites.h"

namespace retort::train {
namespace {

struct Module {
  std::string name;
  std::int64_t rows;
};

LinearSite site(SitePlace place, std::int64_t layer, const std::string& name, std::uint32_t producer,
                std::int64_t columns, const std::vector<Module>& modules) {
  LinearSite made{.place = place, .layer = layer, .modules = {}, .view = {}};
  made.view.name = name;
  made.view.producer = producer;
  made.view.columns = columns;
  for (const Module& module : modules) {
    made.modules.push_back(module.name);
    made.view.modules.push_back({module.name, module.rows, columns, nullptr});
  }
  return made;
}

}  // namespace

std::vector<LinearSite> linear_sites(const model::ModelConfig& config) {
  const std::int64_t D = config.hidden_size, F = config.intermediate_size, V = config.vocabulary_size;
  const std::int64_t queries = config.heads * config.head_dim, keys = config.kv_heads * config.head_dim;
  const bool tied = config.tie_word_embeddings;
  std::vector<LinearSite> sites;
  if (!tied)
    sites.push_back(
        site(SitePlace::embedding, -1, "model.embed_tokens", RETORT_PRODUCER_NONE, D, {{"model.embed_tokens", V}}));
  for (std::int64_t i = 0; i < config.layers; ++i) {
    const std::string prefix = "model.layers." + std::to_string(i) + ".";
    const std::string attention = prefix + "self_attn.", feed_forward = prefix + "mlp.";
    sites.push_back(
        site(SitePlace::attention_input, i, attention + "qkv", RETORT_PRODUCER_NORM, D,
             {{attention + "q_proj", queries}, {attention + "k_proj", keys}, {attention + "v_proj", keys}}));
    sites.push_back(site(SitePlace::attention_output, i, attention + "o", RETORT_PRODUCER_VALUE, queries,
                         {{attention + "o_proj", D}}));
    sites.back().view.channel_group = config.head_dim;
    sites.back().view.shared_heads = config.heads / config.kv_heads;
    sites.push_back(site(SitePlace::feed_forward_input, i, feed_forward + "gate_up", RETORT_PRODUCER_NORM, D,
                         {{feed_forward + "gate_proj", F}, {feed_forward + "up_proj", F}}));
    sites.push_back(site(SitePlace::feed_forward_hidden, i, feed_forward + "down", RETORT_PRODUCER_UP, F,
                         {{feed_forward + "down_proj", D}}));
  }
  sites.push_back(site(SitePlace::head, -1, "lm_head", tied ? RETORT_PRODUCER_NONE : RETORT_PRODUCER_NORM, D,
                       {{tied ? "model.embed_tokens" : "lm_head", V}}));
  for (LinearSite& one : sites) {
    const std::string layer = "model.layers." + std::to_string(one.layer) + ".";
    if (one.place == SitePlace::attention_input) one.norm = layer + "input_layernorm.weight";
    if (one.place == SitePlace::feed_forward_input) one.norm = layer + config.feed_forward_norm() + ".weight";
    if (one.place == SitePlace::head) one.norm = "model.norm.weight";
    one.norm_offset = config.norm_offset();
  }
  return sites;
}

}  // namespace retort::train
