// See depth.h.
#include "depth.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>

namespace retort::prune {

namespace {

std::vector<std::int64_t> all_of(std::int64_t layers) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(layers));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

void expect_finite(const char* name, std::int64_t layer, float value) {
  if (!std::isfinite(value))
    throw std::invalid_argument(std::string(name) + " of layer " + std::to_string(layer) +
                                ": expected a finite number, found " + std::to_string(value));
}

}  // namespace

void check_depth(const DepthOptions& options, std::int64_t layers) {
  const std::int64_t free = layers - options.protected_first - options.protected_last;
  if (options.remove < 0 || options.remove >= layers || (options.remove > 0 && options.remove > free))
    throw std::invalid_argument("remove: expected at most " +
                                std::to_string(std::max<std::int64_t>(0, std::min(layers - 1, free))) + " of " +
                                std::to_string(layers) + " layers (one stays, and " +
                                std::to_string(options.protected_first + options.protected_last) +
                                " are protected), found " + std::to_string(options.remove));
}

std::vector<std::int64_t> keep_by_influence(const DepthOptions& options, std::span<const float> influence) {
  const auto layers = static_cast<std::int64_t>(influence.size());
  check_depth(options, layers);
  for (std::int64_t layer = 0; layer < layers; ++layer)
    expect_finite("block influence", layer, influence[static_cast<std::size_t>(layer)]);
  std::vector<std::int64_t> order;
  for (std::int64_t layer = layers - options.protected_last - 1; layer >= options.protected_first; --layer)
    order.push_back(layer);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return influence[static_cast<std::size_t>(a)] < influence[static_cast<std::size_t>(b)];
  });
  order.resize(static_cast<std::size_t>(options.remove));
  std::vector<std::int64_t> kept = all_of(layers);
  for (const std::int64_t gone : order) std::erase(kept, gone);
  return kept;
}

std::vector<std::int64_t> keep_by_similarity(const DepthOptions& options, std::int64_t layers,
                                             const std::function<float(std::int64_t, std::int64_t)>& similarity) {
  check_depth(options, layers);
  std::vector<std::int64_t> kept = all_of(layers);
  if (options.remove == 0) return kept;
  std::int64_t first = -1;
  float best = 0;
  for (std::int64_t i = options.protected_first; i + options.remove <= layers - options.protected_last; ++i) {
    const float found = similarity(i, i + options.remove - 1);
    expect_finite("block similarity", i, found);
    if (first < 0 || found >= best) first = i, best = found;
  }
  kept.erase(kept.begin() + first, kept.begin() + first + options.remove);
  return kept;
}

GreedyDepth keep_by_loss(const DepthOptions& options, std::int64_t layers,
                         const std::function<double(const std::vector<std::int64_t>&)>& loss) {
  check_depth(options, layers);
  GreedyDepth result{all_of(layers), {}};
  for (std::int64_t round = 0; round < options.remove; ++round) {
    std::vector<std::int64_t> best;
    double least = 0;
    for (const std::int64_t layer : result.kept) {
      if (layer < options.protected_first || layer >= layers - options.protected_last) continue;
      std::vector<std::int64_t> candidate = result.kept;
      std::erase(candidate, layer);
      const double found = loss(candidate);
      if (std::isfinite(found) && (best.empty() || found <= least)) best = std::move(candidate), least = found;
    }
    if (best.empty())
      throw std::runtime_error("the loss is not finite without any one of the " + std::to_string(result.kept.size()) +
                               " layers that are left; check the model and the calibration data");
    result.kept = std::move(best);
    result.losses.push_back(least);
  }
  return result;
}

}  // namespace retort::prune
