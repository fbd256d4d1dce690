// See width_plan.h.
#include "width_plan.h"

namespace retort::prune {

NarrowedAxes narrowed_axes(const WidthOptions& options) {
  const bool targets = options.feed_forward > 0 || options.hidden > 0 || options.kv_heads > 0;
  return {targets ? options.feed_forward > 0 : options.prune_feed_forward,
          targets ? options.hidden > 0 : options.prune_hidden, targets ? options.kv_heads > 0 : options.prune_heads};
}

PrunePlan width_plan(const WidthOptions& options, const retort_prune_structure& structure,
                     const WidthImportance& importance) {
  const Shape before{structure.layers, structure.heads,        structure.kv_heads,   structure.head_dim,
                     structure.hidden, structure.feed_forward, structure.vocabulary, structure.tied_embedding != 0};
  const Shape after = narrowed(options, before);
  PrunePlan plan;
  const auto keep_by_layer = [&](std::uint32_t axis, std::int64_t size, const auto& of_layer) {
    for (std::int64_t layer = 0; layer < before.layers; ++layer) {
      throw_if_stopped();
      plan.keep.push_back({axis, layer, strongest(of_layer(layer), size)});
    }
  };
  if (after.feed_forward < before.feed_forward)
    keep_by_layer(RETORT_AXIS_FEED_FORWARD, after.feed_forward, importance.feed_forward);
  if (after.kv_heads < before.kv_heads) keep_by_layer(RETORT_AXIS_KV_HEADS, after.kv_heads, importance.kv_heads);
  if (after.hidden < before.hidden)
    plan.keep.push_back({RETORT_AXIS_HIDDEN, -1, strongest(importance.hidden(), after.hidden)});
  const auto parameters_before = static_cast<double>(before.parameters());
  const auto parameters_after = static_cast<double>(after.parameters());
  plan.metrics = {{"parameters_before", parameters_before},
                  {"parameters_after", parameters_after},
                  {"removed", 1 - parameters_after / parameters_before},
                  {"feed_forward", static_cast<double>(after.feed_forward)},
                  {"hidden", static_cast<double>(after.hidden)},
                  {"kv_heads", static_cast<double>(after.kv_heads)}};
  return plan;
}

}  // namespace retort::prune
