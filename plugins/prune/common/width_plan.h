// What pruners of width have in common towards the SDK: the parameters that say how narrow a decoder becomes, and the
// plan from a measure of importance. The measure is each pruner's own.
#pragma once

#include <cstdint>
#include <functional>
#include <retort/parameters.hpp>
#include <retort/pruner.hpp>
#include <vector>

#include "width.h"

namespace retort::prune {

/// The schema that a pruner's own parameters are added to; `P` derives from WidthOptions.
template <typename P>
ParameterSet<P> width_schema() {
  ParameterSet<P> schema;
  schema.number("remove", &P::remove)
      .at_least(0)
      .at_most(0.6)
      .doc(
          "share of the parameters to remove at least; not read where a target size is given. Recover by "
          "distillation after each round; above a third, two rounds keep more")
      .boolean("prune_feed_forward", &P::prune_feed_forward)
      .doc("`remove` may narrow the feed-forward, which it does first")
      .boolean("prune_hidden", &P::prune_hidden)
      .doc("`remove` may narrow the hidden size, second")
      .boolean("prune_heads", &P::prune_heads)
      .doc("`remove` may take whole kv heads with their query heads, last")
      .integer("feed_forward", &P::feed_forward)
      .at_least(0)
      .unit("channel")
      .doc("target size; 0: none. With any target given, only the given ones are pruned")
      .integer("hidden", &P::hidden)
      .at_least(0)
      .unit("channel")
      .doc("target size; 0: none")
      .integer("kv_heads", &P::kv_heads)
      .at_least(0)
      .unit("head")
      .doc("target number of kv heads, each with its query heads; 0: none")
      .integer("round_to", &P::round_to)
      .at_least(1)
      .unit("channel")
      .doc("sizes that `remove` leads to are multiples of it")
      .number("smallest_share", &P::smallest_share)
      .above(0)
      .at_most(1)
      .doc("share of an axis that `remove` leaves at least");
  return schema;
}

/// Which axes the options may narrow, whatever the model's shape is.
struct NarrowedAxes {
  bool feed_forward = false, hidden = false, kv_heads = false;
};
NarrowedAxes narrowed_axes(const WidthOptions& options);

/// Importance of what may go; asked only of axes that become narrower.
struct WidthImportance {
  std::function<std::vector<float>(std::int64_t layer)> feed_forward;  ///< [F]
  std::function<std::vector<float>(std::int64_t layer)> kv_heads;      ///< [K]
  std::function<std::vector<float>()> hidden;                          ///< [D]
};

/// The strongest of each axis stay, as many as narrowed() says. Polls should_stop() before each layer.
PrunePlan width_plan(const WidthOptions& options, const retort_prune_structure& structure,
                     const WidthImportance& importance);

}  // namespace retort::prune
