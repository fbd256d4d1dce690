// The rules of a plan, as pruner.h states them.
#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

#include "host/algorithm/pruner_call.h"

namespace retort::host {
namespace {

bool is_per_layer(std::uint32_t axis) {
  return axis == RETORT_AXIS_KV_HEADS || axis == RETORT_AXIS_FEED_FORWARD;
}

void check_keep(const std::string& where, const retort_prune_structure& structure, const PruneKeep& keep) {
  const std::int64_t size = axis_size(structure, keep.axis);
  if (size == 0) throw std::invalid_argument(where + ": no axis has the number " + std::to_string(keep.axis));
  if (is_per_layer(keep.axis) ? (keep.layer < 0 || keep.layer >= structure.layers) : keep.layer != -1)
    throw std::invalid_argument(where + ": expected a layer " + (is_per_layer(keep.axis) ? "in the model" : "of -1") +
                                ", found " + std::to_string(keep.layer));
  if (keep.indices.empty()) throw std::invalid_argument(where + ": expected at least one index to keep, found none");
  for (std::size_t i = 0; i < keep.indices.size(); ++i)
    if (keep.indices[i] < 0 || keep.indices[i] >= size || (i > 0 && keep.indices[i] <= keep.indices[i - 1]))
      throw std::invalid_argument(where + ": expected ascending indices below " + std::to_string(size) + ", found " +
                                  std::to_string(keep.indices[i]) + " at place " + std::to_string(i));
}

/// The model format holds one number for all layers; one that the plan does not mention stays whole.
void check_equal_layers(const std::string& whose, const retort_prune_structure& structure, std::uint32_t axis,
                        const std::vector<std::int64_t>& layers,
                        const std::map<std::pair<std::uint32_t, std::int64_t>, std::size_t>& counts) {
  const auto kept = [&](std::int64_t layer) {
    const auto found = counts.find({axis, layer});
    return found != counts.end() ? found->second : static_cast<std::size_t>(axis_size(structure, axis));
  };
  for (const std::int64_t layer : layers)
    if (kept(layer) != kept(layers.front()))
      throw std::invalid_argument(whose + " keeps different numbers of " + axis_name(axis) + " in different layers (" +
                                  std::to_string(kept(layers.front())) + " in layer " + std::to_string(layers.front()) +
                                  ", " + std::to_string(kept(layer)) + " in layer " + std::to_string(layer) +
                                  "); the model format holds one number for all");
}

}  // namespace

std::string axis_name(std::uint32_t axis) {
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

std::int64_t axis_size(const retort_prune_structure& structure, std::uint32_t axis) {
  switch (axis) {
    case RETORT_AXIS_LAYERS:
      return structure.layers;
    case RETORT_AXIS_KV_HEADS:
      return structure.kv_heads;
    case RETORT_AXIS_FEED_FORWARD:
      return structure.feed_forward;
    case RETORT_AXIS_HIDDEN:
      return structure.hidden;
    case RETORT_AXIS_VOCABULARY:
      return structure.vocabulary;
    default:
      return 0;
  }
}

void check_prune_plan(const std::string& whose, const retort_prune_structure& structure,
                      std::span<const std::int64_t> required_tokens, const PruneKeeps& plan) {
  std::map<std::pair<std::uint32_t, std::int64_t>, std::size_t> counts;
  std::vector<std::int64_t> layers;
  for (std::int64_t layer = 0; layer < structure.layers; ++layer) layers.push_back(layer);
  for (const PruneKeep& keep : plan) {
    const std::string where =
        whose + " for " + axis_name(keep.axis) + (keep.layer >= 0 ? " of layer " + std::to_string(keep.layer) : "");
    check_keep(where, structure, keep);
    if (!counts.emplace(std::pair{keep.axis, keep.layer}, keep.indices.size()).second)
      throw std::invalid_argument(where + ": expected one entry, found two");
    if (keep.axis == RETORT_AXIS_LAYERS) layers = keep.indices;
    if (keep.axis != RETORT_AXIS_VOCABULARY) continue;
    for (const std::int64_t token : required_tokens)
      if (!std::binary_search(keep.indices.begin(), keep.indices.end(), token))
        throw std::invalid_argument(where +
                                    ": expected every required token (special tokens and bytes) to stay, "
                                    "token " +
                                    std::to_string(token) + " does not");
  }
  for (const std::uint32_t axis : {RETORT_AXIS_KV_HEADS, RETORT_AXIS_FEED_FORWARD})
    check_equal_layers(whose, structure, axis, layers, counts);
}

}  // namespace retort::host
