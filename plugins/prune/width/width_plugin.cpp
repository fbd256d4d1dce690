// prune.width: activation norms as the importance of width_plan.h.
#include <retort/plugin.hpp>
#include <retort/pruner.hpp>
#include <vector>

#include "width_plan.h"

namespace {

std::vector<float> row_of(const retort::TensorView<const float>& view, std::int64_t row) {
  return {view.row(row), view.row(row) + view.columns()};
}

class WidthPruner : public retort::Pruner {
 public:
  struct Params : retort::prune::WidthOptions {
    std::int64_t samples = 512;
  };
  static auto schema() {
    return retort::prune::width_schema<Params>()
        .integer("samples", &Params::samples)
        .at_least(1)
        .unit("sequence")
        .doc("calibration sequences");
  }

  explicit WidthPruner(const Params& params) : params_(params) {}

  retort::PruneRequirements requirements() const override {
    const retort::prune::NarrowedAxes axes = retort::prune::narrowed_axes(params_);
    std::uint64_t signals = 0;
    if (axes.feed_forward) signals |= RETORT_SIGNAL_FEED_FORWARD_NORMS;
    if (axes.hidden) signals |= RETORT_SIGNAL_HIDDEN_NORMS;
    if (axes.kv_heads) signals |= RETORT_SIGNAL_HEAD_NORMS;
    return {signals, params_.samples};
  }

  retort::PrunePlan plan(const retort_prune_structure& structure, const retort::PruneSignals& signals,
                         const retort::PruneModel& /*model*/) override {
    retort::prune::WidthImportance importance;
    importance.feed_forward = [&](std::int64_t layer) {
      retort::expect_shape(signals.feed_forward_norms, "feed_forward_norms", structure.layers, structure.feed_forward);
      return row_of(signals.feed_forward_norms, layer);
    };
    importance.kv_heads = [&](std::int64_t layer) {
      retort::expect_shape(signals.head_norms, "head_norms", structure.layers, structure.heads);
      return retort::prune::kv_head_norms(row_of(signals.head_norms, layer), structure.kv_heads);
    };
    importance.hidden = [&] {
      retort::expect_shape(signals.hidden_norms, "hidden_norms", structure.hidden);
      std::vector<float> norms;  // the view may have a stride
      for (std::int64_t i = 0; i < structure.hidden; ++i) norms.push_back(signals.hidden_norms[i]);
      return norms;
    };
    return retort::prune::width_plan(params_, structure, importance);
  }

 private:
  Params params_;
};

}  // namespace

RETORT_PLUGIN_LIST("width", "1.0.0", "Apache-2.0",
                   retort::component<WidthPruner>("prune.width", "1.0.0",
                                                  "narrows feed-forward, hidden size and heads by activation norms"));
