#include "train/pruning.h"

#include <map>
#include <numeric>
#include <retort/torch.hpp>
#include <stdexcept>

#include "train/calibration.h"
#include "train/model_weights.h"
#include "train/plugin_loss.h"
#include "train/trainer.h"

namespace retort::train {
namespace {

using torch::Tensor;
using Indices = std::vector<std::int64_t>;

const char* axis_name(std::uint32_t axis) {
  switch (axis) {
    case RETORT_AXIS_LAYERS:
      return "layers";
    case RETORT_AXIS_KV_HEADS:
      return "kv heads";
    case RETORT_AXIS_FEED_FORWARD:
      return "feed-forward channels";
    case RETORT_AXIS_HIDDEN:
      return "hidden channels";
    case RETORT_AXIS_VOCABULARY:
      return "vocabulary rows";
    default:
      return "an unknown axis";
  }
}

/// What stays, by axis and layer (−1: all layers). Checks each entry as it comes.
class KeepPlan {
 public:
  explicit KeepPlan(const model::ModelConfig& config) : config_(config) {}

  void add(std::uint32_t axis, std::int64_t layer, Indices indices) {
    const std::int64_t size = axis == RETORT_AXIS_LAYERS         ? config_.layers
                              : axis == RETORT_AXIS_KV_HEADS     ? config_.kv_heads
                              : axis == RETORT_AXIS_FEED_FORWARD ? config_.intermediate_size
                              : axis == RETORT_AXIS_HIDDEN       ? config_.hidden_size
                                                                 : 0;
    const bool per_layer = axis == RETORT_AXIS_KV_HEADS || axis == RETORT_AXIS_FEED_FORWARD;
    const std::string where = std::string("the pruner's plan for ") + axis_name(axis) +
                              (layer >= 0 ? " of layer " + std::to_string(layer) : "");
    if (size == 0) throw std::invalid_argument(where + ": this stage cannot cut that axis");
    if (per_layer ? (layer < 0 || layer >= config_.layers) : layer != -1)
      throw std::invalid_argument(where + ": expected a layer " + (per_layer ? "in the model" : "of -1"));
    if (indices.empty()) throw std::invalid_argument(where + ": expected at least one index to keep, found none");
    for (std::size_t i = 0; i < indices.size(); ++i)
      if (indices[i] < 0 || indices[i] >= size || (i > 0 && indices[i] <= indices[i - 1]))
        throw std::invalid_argument(where + ": expected ascending indices below " + std::to_string(size) + ", found " +
                                    std::to_string(indices[i]) + " at place " + std::to_string(i));
    kept_[{axis, layer}] = std::move(indices);
  }

  Indices of(std::uint32_t axis, std::int64_t layer, std::int64_t size) const {
    const auto found = kept_.find({axis, layer});
    if (found != kept_.end()) return found->second;
    Indices all(static_cast<std::size_t>(size));
    std::iota(all.begin(), all.end(), 0);
    return all;
  }

 private:
  const model::ModelConfig& config_;
  std::map<std::pair<std::uint32_t, std::int64_t>, Indices> kept_;
};

Tensor as_tensor(const Indices& indices) {
  return torch::tensor(indices, torch::kInt64);
}

/// The columns or rows of whole heads.
Tensor head_columns(const Indices& heads, std::int64_t width) {
  return (as_tensor(heads).unsqueeze(1) * width + torch::arange(width).unsqueeze(0)).reshape({-1});
}

std::int64_t equal_count(const std::vector<Indices>& layers, const char* what) {
  for (const Indices& layer : layers)
    if (layer.size() != layers.front().size())
      throw std::invalid_argument(std::string("the pruner's plan keeps different numbers of ") + what +
                                  " in different layers; the model format holds one number for all");
  return static_cast<std::int64_t>(layers.front().size());
}

std::unique_ptr<DecoderModule> cut(DecoderModule& full, const KeepPlan& plan) {
  torch::NoGradGuard no_grad;
  const model::ModelConfig& old = full.config();
  const Indices layers = plan.of(RETORT_AXIS_LAYERS, -1, old.layers);
  const Tensor hidden = as_tensor(plan.of(RETORT_AXIS_HIDDEN, -1, old.hidden_size));
  std::vector<Indices> kv_heads, channels;
  for (const std::int64_t layer : layers) {
    kv_heads.push_back(plan.of(RETORT_AXIS_KV_HEADS, layer, old.kv_heads));
    channels.push_back(plan.of(RETORT_AXIS_FEED_FORWARD, layer, old.intermediate_size));
  }
  model::ModelConfig config = old;
  config.layers = static_cast<std::int64_t>(layers.size());
  config.hidden_size = hidden.size(0);
  config.kv_heads = equal_count(kv_heads, "kv heads");
  config.heads = config.kv_heads * (old.heads / old.kv_heads);
  config.intermediate_size = equal_count(channels, "feed-forward channels");
  config.sliding_layers.clear();
  for (const std::int64_t layer : layers)
    if (!old.sliding_layers.empty())
      config.sliding_layers.push_back(old.sliding_layers[static_cast<std::size_t>(layer)]);

  auto small = std::make_unique<DecoderModule>(config, 0);
  const auto move = [&](const std::string& to, const std::string& from, const Tensor& rows, const Tensor& columns) {
    Tensor weight = full.weight(from);
    if (rows.defined()) weight = weight.index_select(0, rows);
    if (columns.defined()) weight = weight.index_select(1, columns);
    small->weight(to).copy_(weight);
  };
  move("model.embed_tokens.weight", "model.embed_tokens.weight", {}, hidden);
  move("model.norm.weight", "model.norm.weight", hidden, {});
  if (!config.tie_word_embeddings) move("lm_head.weight", "lm_head.weight", {}, hidden);
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
    matrix("post_attention_layernorm.weight", hidden, {});
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

ModelSize run(const PruningJob& job, const RunHooks& hooks) {
  use_threads(job.threads);
  CallModule module = load_call_module(job.model);
  const model::ModelConfig& config = module.decoder->config();
  retort_prune_requirements wanted{};
  wanted.struct_size = sizeof(wanted);
  job.pruner.throw_if_error(job.pruner.functions->requirements(job.pruner.instance, &wanted));

  std::vector<Sequence> sequences = to_sequences(task::read_split(job.dataset / "train.jsonl").examples,
                                                 module.contract, module.tokenizer, config.max_positions);
  if (wanted.signals != 0 && sequences.empty())
    throw std::invalid_argument((job.dataset / "train.jsonl").string() +
                                ": the pruner wants calibration data, found no rows");
  SeededSequence random(job.seed, 0);
  for (std::size_t i = sequences.size(); i > 1; --i) std::swap(sequences[i - 1], sequences[random.below(i)]);
  if (static_cast<std::int64_t>(sequences.size()) > wanted.samples)
    sequences.resize(static_cast<std::size_t>(wanted.samples));
  hooks.log("calibrating on " + std::to_string(sequences.size()) + " sequences");
  const PruneSignalTensors signals = prune_signals(*module.decoder, sequences, wanted.signals);

  const retort_prune_structure structure{sizeof(retort_prune_structure),
                                         config.tie_word_embeddings ? 1u : 0u,
                                         config.layers,
                                         config.heads,
                                         config.kv_heads,
                                         config.head_dim,
                                         config.hidden_size,
                                         config.intermediate_size,
                                         config.vocabulary_size,
                                         config.parameters()};
  std::vector<retort_tensor> views;
  views.reserve(5);
  const auto view = [&](const Tensor& tensor) -> const retort_tensor* {
    if (!tensor.defined()) return nullptr;
    views.push_back(lend(tensor, RETORT_TENSOR_READ_ONLY));
    return &views.back();
  };
  const retort_prune_signals lent{sizeof(retort_prune_signals), 0,
                                  view(signals.hidden_norms),   view(signals.feed_forward_norms),
                                  view(signals.head_norms),     view(signals.block_influence),
                                  view(signals.token_counts)};
  // Findings about the plan are kept until the plugin has returned: exceptions must not cross it.
  struct Collected {
    KeepPlan plan;
    std::exception_ptr error;
  } collected{KeepPlan(config), nullptr};
  const retort_prune_plan_sink plan_sink{
      sizeof(retort_prune_plan_sink), 0, &collected,
      [](void* context, std::uint32_t axis, std::int64_t layer, const std::int64_t* indices, std::uint64_t count) {
        auto& target = *static_cast<Collected*>(context);
        try {
          target.plan.add(axis, layer, Indices(indices, indices + count));
        } catch (...) {
          if (!target.error) target.error = std::current_exception();
        }
      }};
  MetricMap metrics;
  const retort_metric_sink metric_sink{sizeof(retort_metric_sink), 0, &metrics,
                                       [](void* context, retort_string name, double value) {
                                         (*static_cast<MetricMap*>(context))[std::string(name.data, name.size)] = value;
                                       }};
  job.pruner.throw_if_error(
      job.pruner.functions->plan(job.pruner.instance, &structure, &lent, &plan_sink, &metric_sink));
  if (collected.error) std::rethrow_exception(collected.error);

  const std::unique_ptr<DecoderModule> small = cut(*module.decoder, collected.plan);
  for (const auto& [name, value] : metrics) hooks.metric(name, -1, value);
  hooks.metric("parameters_before", -1, static_cast<double>(config.parameters()));
  hooks.metric("parameters_removed", -1,
               1.0 - static_cast<double>(small->config().parameters()) / static_cast<double>(config.parameters()));
  save_call_module(job.output, *small, module.tokenizer, module.contract);
  return model_size(job.output);
}

}  // namespace

ModelSize prune(const PruningJob& job, const RunHooks& hooks) {
  return with_plain_errors([&] { return run(job, hooks); });
}

}  // namespace retort::train
