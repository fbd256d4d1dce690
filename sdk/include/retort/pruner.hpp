// Base class of pruners (retort.pruner/1).
#pragma once

#include <retort/abi/pruner.h>

#include <retort/component.hpp>
#include <retort/tensor.hpp>

namespace retort {

struct PruneRequirements {
  std::uint32_t signals = 0;  ///< RETORT_SIGNAL_…
  std::int64_t samples = 512;
};

/// L layers, H query heads, D hidden, F feed-forward, V vocabulary. Views that were not asked for are empty.
struct PruneSignals {
  TensorView<const float> hidden_norms;        ///< [D]
  TensorView<const float> feed_forward_norms;  ///< [L,F]
  TensorView<const float> head_norms;          ///< [L,H]
  TensorView<const float> block_influence;     ///< [L]
  TensorView<const float> token_counts;        ///< [V]

  explicit PruneSignals(const retort_prune_signals& signals)
      : hidden_norms(signals.hidden_norms, "hidden_norms", 1),
        feed_forward_norms(signals.feed_forward_norms, "feed_forward_norms", 2),
        head_norms(signals.head_norms, "head_norms", 2),
        block_influence(signals.block_influence, "block_influence", 1),
        token_counts(signals.token_counts, "token_counts", 1) {}
};

/// What stays of one axis; `layer` is -1 where all layers share it.
struct Keep {
  std::uint32_t axis = 0;  ///< RETORT_AXIS_…
  std::int64_t layer = -1;
  std::vector<std::int64_t> indices;  ///< ascending
};

struct PrunePlan {
  std::vector<Keep> keep;
  Metrics metrics;
};

class Pruner : public ComponentBase {
 public:
  static constexpr const char* interface_id = RETORT_PRUNER_INTERFACE;
  virtual PruneRequirements requirements() const = 0;
  virtual PrunePlan plan(const retort_prune_structure& structure, const PruneSignals& signals) = 0;

  const void* table(std::string_view id) const final {
    static const retort_pruner_v1 functions = {sizeof(retort_pruner_v1), 0, &abi_requirements, &abi_plan};
    return id == interface_id ? &functions : nullptr;
  }

 private:
  static retort_error* abi_requirements(retort_instance* instance, retort_prune_requirements* out) {
    return detail::guarded([&] {
      const PruneRequirements wanted = detail::self<Pruner>(instance).requirements();
      out->signals = wanted.signals;
      out->samples = wanted.samples;
    });
  }
  static retort_error* abi_plan(retort_instance* instance, const retort_prune_structure* structure,
                                const retort_prune_signals* signals, const retort_prune_plan_sink* sink,
                                const retort_metric_sink* metrics) {
    return detail::guarded([&] {
      const PrunePlan plan = detail::self<Pruner>(instance).plan(*structure, PruneSignals(*signals));
      for (const Keep& keep : plan.keep)
        sink->keep(sink->context, keep.axis, keep.layer, keep.indices.data(), keep.indices.size());
      detail::report(metrics, plan.metrics);
    });
  }
};

}  // namespace retort
