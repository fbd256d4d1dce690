// Base class of pruners (retort.pruner/1).
#pragma once

#include <retort/abi/pruner.h>

#include <array>
#include <retort/component.hpp>
#include <retort/tensor.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace retort {

struct PruneRequirements {
  std::uint64_t signals = 0;  ///< RETORT_SIGNAL_…
  std::int64_t samples = 512;
  std::uint32_t flags = 0;  ///< RETORT_PRUNE_…
};

/// L layers, H query heads, D hidden, F feed-forward, V vocabulary. Views that were not asked for are empty.
struct PruneSignals {
  TensorView<const float> hidden_norms;            ///< [D]
  TensorView<const float> feed_forward_norms;      ///< [L,F]
  TensorView<const float> head_norms;              ///< [L,H]
  TensorView<const float> block_influence;         ///< [L]
  TensorView<const float> block_similarity;        ///< [L,L]
  TensorView<const float> token_counts;            ///< [V]
  TensorView<const std::int64_t> required_tokens;  ///< [n]

  explicit PruneSignals(const retort_prune_signals& signals)
      : hidden_norms(signals.hidden_norms, "hidden_norms", 1),
        feed_forward_norms(signals.feed_forward_norms, "feed_forward_norms", 2),
        head_norms(signals.head_norms, "head_norms", 2),
        block_influence(signals.block_influence, "block_influence", 1),
        block_similarity(signals.block_similarity, "block_similarity", 2),
        token_counts(signals.token_counts, "token_counts", 1),
        required_tokens(signals.required_tokens, "required_tokens", 1) {}
};

/// What stays of one axis; `layer` is -1 where all layers share it.
struct Keep {
  std::uint32_t axis = 0;  ///< RETORT_AXIS_…
  std::int64_t layer = -1;
  std::vector<std::int64_t> indices;  ///< ascending

  retort_prune_keep abi() const { return {sizeof(retort_prune_keep), axis, layer, indices.data(), indices.size()}; }
};

/// New values of a matrix, in the shape [R,C] that it has before the cut; of what goes they do not matter.
struct NewWeight {
  std::string name;  ///< "model.layers.0.mlp.down_proj.weight"
  std::array<std::int64_t, 2> shape{};
  std::vector<float> values;
};

struct PrunePlan {
  std::vector<Keep> keep;
  Metrics metrics;
  std::vector<NewWeight> weights = {};  ///< for what stays to make up for what goes; none: the model's own
};

/// The model while plan() runs; one thread.
class PruneModel {
 public:
  explicit PruneModel(const retort_prune_model& model) : model_(model) {}
  /// Of `dimensions` dimensions; valid until the next call of a function of this class.
  TensorView<const float> weight(std::string_view name, int dimensions = 2) const {
    return view(model_.weight, name, dimensions);
  }
  TensorView<const float> gradient(std::string_view name, int dimensions = 2) const {
    return view(model_.gradient, name, dimensions);
  }
  TensorView<const float> squared_gradient(std::string_view name, int dimensions = 2) const {
    return view(model_.squared_gradient, name, dimensions);
  }
  /// [F,F] 2·Σ a aᵀ / S of what down_proj of `layer` reads. Ascending layers take one pass over the data together.
  TensorView<const float> feed_forward_hessian(std::int64_t layer) const {
    if (!RETORT_HAS_FIELD(&model_, retort_prune_model, feed_forward_hessian) || model_.feed_forward_hessian == nullptr)
      throw std::runtime_error("this host is older than feed_forward_hessian of retort_prune_model; update it");
    const retort_tensor* tensor = nullptr;
    throw_if_error(model_.feed_forward_hessian(model_.context, layer, &tensor));
    return {tensor, "feed_forward_hessian", 2};
  }
  /// Nats a token of the calibration data under `plan`; an empty plan: of the model as it is.
  double evaluate(const std::vector<Keep>& plan) const {
    std::vector<retort_prune_keep> keeps;
    for (const Keep& keep : plan) keeps.push_back(keep.abi());
    double loss = 0;
    throw_if_error(model_.evaluate(model_.context, keeps.data(), keeps.size(), &loss));
    return loss;
  }

 private:
  TensorView<const float> view(retort_error* (*get)(void*, retort_string, const retort_tensor**), std::string_view name,
                               int dimensions) const {
    const retort_tensor* tensor = nullptr;
    throw_if_error(get(model_.context, to_abi(name), &tensor));
    return {tensor, "weight", dimensions};
  }
  const retort_prune_model& model_;
};

class Pruner : public ComponentBase {
 public:
  static constexpr const char* interface_id = RETORT_PRUNER_INTERFACE;
  virtual PruneRequirements requirements() const = 0;
  virtual PrunePlan plan(const retort_prune_structure& structure, const PruneSignals& signals,
                         const PruneModel& model) = 0;

  const void* table(std::string_view id) const final {
    static const retort_pruner_v1 functions = {RETORT_PRUNER_V1_SIZE, 0, &abi_requirements, &abi_plan};
    return id == interface_id ? &functions : nullptr;
  }

 private:
  static void hand_over(const retort_prune_plan_sink& sink, const NewWeight& weight) {
    const std::int64_t strides[] = {weight.shape[1], 1};
    retort_tensor tensor{};
    tensor.struct_size = sizeof tensor;
    tensor.data = const_cast<float*>(weight.values.data());
    tensor.device_type = RETORT_DEVICE_CPU;
    tensor.dtype_code = RETORT_DTYPE_FLOAT;
    tensor.dtype_bits = 32;
    tensor.dtype_lanes = 1;
    tensor.dimensions = 2;
    tensor.shape = weight.shape.data();
    tensor.strides = strides;
    tensor.flags = RETORT_TENSOR_READ_ONLY;
    if (weight.shape[0] * weight.shape[1] != static_cast<std::int64_t>(weight.values.size()))
      throw std::logic_error(weight.name + ": " + std::to_string(weight.values.size()) +
                             " values do not fill its shape");
    sink.weight(sink.context, to_abi(weight.name), &tensor);
  }
  static retort_error* abi_requirements(retort_instance* instance, retort_prune_requirements* out) {
    return detail::guarded([&] {
      const PruneRequirements wanted = detail::self<Pruner>(instance).requirements();
      out->flags = wanted.flags;
      out->signals = wanted.signals;
      out->samples = wanted.samples;
    });
  }
  static retort_error* abi_plan(retort_instance* instance, const retort_prune_structure* structure,
                                const retort_prune_signals* signals, const retort_prune_model* model,
                                const retort_prune_plan_sink* sink, const retort_metric_sink* metrics) {
    return detail::guarded([&] {
      const PrunePlan plan =
          detail::self<Pruner>(instance).plan(*structure, PruneSignals(*signals), PruneModel(*model));
      for (const Keep& keep : plan.keep) {
        const retort_prune_keep abi = keep.abi();
        sink->keep(sink->context, &abi);
      }
      if (!plan.weights.empty() && (!RETORT_HAS_FIELD(sink, retort_prune_plan_sink, weight) || sink->weight == nullptr))
        throw std::runtime_error("this host is older than weight of retort_prune_plan_sink; update it");
      for (const NewWeight& weight : plan.weights) hand_over(*sink, weight);
      detail::report(metrics, plan.metrics);
    });
  }
};

}  // namespace retort
