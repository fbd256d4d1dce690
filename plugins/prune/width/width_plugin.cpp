// prune.width: signals, plan and parameters around width.h.
#include <algorithm>
#include <retort/plugin.hpp>
#include <retort/pruner.hpp>
#include <string>
#include <utility>

#include "width.h"

namespace {

using retort::prune::Shape;

std::span<const float> layer_norms(const retort::TensorView<const float>& view, std::int64_t layer) {
  return {view.row(layer), static_cast<std::size_t>(view.columns())};
}

class WidthPruner : public retort::Pruner {
 public:
  struct Params : retort::prune::WidthOptions {
    std::int64_t samples = 512;
  };
  static auto schema() {
    return retort::params<Params>()
        .number("remove", &Params::remove)
        .at_least(0)
        .at_most(0.6)
        .doc(
            "share of the parameters to remove at least; not read where a target size is given. Recover by "
            "distillation after each round; above a third, two rounds keep more")
        .boolean("prune_feed_forward", &Params::prune_feed_forward)
        .doc("`remove` may narrow the feed-forward, which it does first")
        .boolean("prune_hidden", &Params::prune_hidden)
        .doc("`remove` may narrow the hidden size, second")
        .boolean("prune_heads", &Params::prune_heads)
        .doc("`remove` may take whole kv heads with their query heads, last")
        .integer("feed_forward", &Params::feed_forward)
        .at_least(0)
        .unit("channel")
        .doc("target size; 0: none. With any target given, only the given ones are pruned")
        .integer("hidden", &Params::hidden)
        .at_least(0)
        .unit("channel")
        .doc("target size; 0: none")
        .integer("kv_heads", &Params::kv_heads)
        .at_least(0)
        .unit("head")
        .doc("target number of kv heads, each with its query heads; 0: none")
        .integer("round_to", &Params::round_to)
        .at_least(1)
        .unit("channel")
        .doc("sizes that `remove` leads to are multiples of it")
        .number("smallest_share", &Params::smallest_share)
        .above(0)
        .at_most(1)
        .doc("share of an axis that `remove` leaves at least")
        .integer("samples", &Params::samples)
        .at_least(1)
        .unit("sequence")
        .doc("calibration sequences");
  }

  explicit WidthPruner(Params params) : params_(std::move(params)) {}

  retort::PruneRequirements requirements() const override {
    const bool targets = params_.feed_forward > 0 || params_.hidden > 0 || params_.kv_heads > 0;
    std::uint64_t signals = 0;
    if (targets ? params_.feed_forward > 0 : params_.prune_feed_forward) signals |= RETORT_SIGNAL_FEED_FORWARD_NORMS;
    if (targets ? params_.hidden > 0 : params_.prune_hidden) signals |= RETORT_SIGNAL_HIDDEN_NORMS;
    if (targets ? params_.kv_heads > 0 : params_.prune_heads) signals |= RETORT_SIGNAL_HEAD_NORMS;
    return {signals, params_.samples};
  }

  retort::PrunePlan plan(const retort_prune_structure& structure, const retort::PruneSignals& signals,
                         const retort::PruneModel& /*model*/) override {
    const Shape before{structure.layers, structure.heads,        structure.kv_heads,   structure.head_dim,
                       structure.hidden, structure.feed_forward, structure.vocabulary, structure.tied_embedding != 0};
    const Shape after = retort::prune::narrowed(params_, before);
    retort::PrunePlan result;
    if (after.feed_forward < before.feed_forward) keep_feed_forward(before, after, signals, result);
    if (after.kv_heads < before.kv_heads) keep_kv_heads(before, after, signals, result);
    if (after.hidden < before.hidden) {
      retort::expect_shape(signals.hidden_norms, "hidden_norms", before.hidden);
      std::vector<float> norms(static_cast<std::size_t>(before.hidden));  // the view may have a stride
      for (std::int64_t i = 0; i < before.hidden; ++i) norms[static_cast<std::size_t>(i)] = signals.hidden_norms[i];
      result.keep.push_back({RETORT_AXIS_HIDDEN, -1, retort::prune::strongest(norms, after.hidden)});
    }
    const auto parameters_before = static_cast<double>(before.parameters());
    const auto parameters_after = static_cast<double>(after.parameters());
    result.metrics = {{"parameters_before", parameters_before},
                      {"parameters_after", parameters_after},
                      {"removed", 1 - parameters_after / parameters_before},
                      {"feed_forward", static_cast<double>(after.feed_forward)},
                      {"hidden", static_cast<double>(after.hidden)},
                      {"kv_heads", static_cast<double>(after.kv_heads)}};
    return result;
  }

 private:
  static void keep_feed_forward(const Shape& before, const Shape& after, const retort::PruneSignals& signals,
                                retort::PrunePlan& plan) {
    retort::expect_shape(signals.feed_forward_norms, "feed_forward_norms", before.layers, before.feed_forward);
    for (std::int64_t layer = 0; layer < before.layers; ++layer)
      plan.keep.push_back(
          {RETORT_AXIS_FEED_FORWARD, layer,
           retort::prune::strongest(layer_norms(signals.feed_forward_norms, layer), after.feed_forward)});
  }

  static void keep_kv_heads(const Shape& before, const Shape& after, const retort::PruneSignals& signals,
                            retort::PrunePlan& plan) {
    retort::expect_shape(signals.head_norms, "head_norms", before.layers, before.heads);
    for (std::int64_t layer = 0; layer < before.layers; ++layer) {
      const auto norms = retort::prune::kv_head_norms(layer_norms(signals.head_norms, layer), before.kv_heads);
      plan.keep.push_back({RETORT_AXIS_KV_HEADS, layer, retort::prune::strongest(norms, after.kv_heads)});
    }
  }

  Params params_;
};

}  // namespace

RETORT_PLUGIN_LIST("width", "1.0.0", "Apache-2.0",
                   retort::component<WidthPruner>("prune.width", "1.0.0",
                                                  "narrows feed-forward, hidden size and heads by activation norms"));
