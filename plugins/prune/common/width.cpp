// Sizes and choices as width.h states them.
#include "width.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>

namespace retort::prune {

namespace {

/// Tries the sizes of one axis from the present one downwards until `enough`; leaves the smallest allowed otherwise.
template <typename Enough>
void shrink(std::int64_t& size, std::int64_t step, double smallest_share, const Enough& enough) {
  const auto floor = static_cast<std::int64_t>(std::ceil(smallest_share * static_cast<double>(size)));
  const std::int64_t smallest = std::min(size, std::max(step, (floor + step - 1) / step * step));
  while (!enough() && size > smallest) size = std::max(smallest, (size - 1) / step * step);
}

void check_target(const char* name, std::int64_t target, std::int64_t present) {
  if (target < 0 || target > present)
    throw std::invalid_argument(std::string(name) + ": expected a target of at most the present " +
                                std::to_string(present) + ", found " + std::to_string(target));
}

void set_kv_heads(Shape& shape, std::int64_t kv_heads) {
  shape.heads = shape.heads / shape.kv_heads * kv_heads;
  shape.kv_heads = kv_heads;
}

Shape with_targets(const WidthOptions& options, Shape shape) {
  check_target("feed_forward", options.feed_forward, shape.feed_forward);
  check_target("hidden", options.hidden, shape.hidden);
  check_target("kv_heads", options.kv_heads, shape.kv_heads);
  if (options.feed_forward > 0) shape.feed_forward = options.feed_forward;
  if (options.hidden > 0) shape.hidden = options.hidden;
  if (options.kv_heads > 0) set_kv_heads(shape, options.kv_heads);
  return shape;
}

}  // namespace

std::int64_t Shape::parameters() const {
  const std::int64_t embedding = (tied_embedding ? 1 : 2) * vocabulary * hidden;
  const std::int64_t attention = 2 * hidden * heads * head_dim + 2 * hidden * kv_heads * head_dim;
  return embedding + layers * (attention + 3 * hidden * feed_forward + 2 * hidden) + hidden;
}

Shape narrowed(const WidthOptions& options, const Shape& shape) {
  if (shape.kv_heads < 1 || shape.heads % shape.kv_heads != 0)
    throw std::invalid_argument("heads: expected a multiple of the " + std::to_string(shape.kv_heads) +
                                " kv heads, found " + std::to_string(shape.heads));
  if (options.feed_forward > 0 || options.hidden > 0 || options.kv_heads > 0) return with_targets(options, shape);

  const auto present = static_cast<double>(shape.parameters());
  Shape result = shape;
  const auto removed = [&] { return 1 - static_cast<double>(result.parameters()) / present; };
  const auto enough = [&] { return removed() >= options.remove; };
  if (options.prune_feed_forward) shrink(result.feed_forward, options.round_to, options.smallest_share, enough);
  if (options.prune_hidden) shrink(result.hidden, options.round_to, options.smallest_share, enough);
  if (options.prune_heads) {
    std::int64_t kv_heads = shape.kv_heads;
    shrink(kv_heads, 1, options.smallest_share, [&] {
      set_kv_heads(result, kv_heads);
      return enough();
    });
    set_kv_heads(result, kv_heads);
  }
  if (!enough())
    throw std::invalid_argument("remove: expected a share that the allowed axes can give, at most " +
                                std::to_string(removed()) + ", found " + std::to_string(options.remove) +
                                "; lower smallest_share or round_to, or allow more axes (prune_feed_forward, " +
                                "prune_hidden, prune_heads)");
  return result;
}

std::vector<std::int64_t> strongest(std::span<const float> norms, std::int64_t count) {
  for (std::size_t i = 0; i < norms.size(); ++i)
    if (!std::isfinite(norms[i]) || norms[i] < 0)
      throw std::invalid_argument("norm of channel " + std::to_string(i) +
                                  ": expected a finite number that is not negative, found " + std::to_string(norms[i]));
  std::vector<std::int64_t> order(norms.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return norms[static_cast<std::size_t>(a)] > norms[static_cast<std::size_t>(b)];
  });
  order.resize(static_cast<std::size_t>(count));
  std::sort(order.begin(), order.end());
  return order;
}

std::vector<float> kv_head_norms(std::span<const float> head_norms, std::int64_t kv_heads) {
  std::vector<float> sums(static_cast<std::size_t>(kv_heads), 0.0f);
  const std::size_t group = head_norms.size() / sums.size();
  for (std::size_t head = 0; head < head_norms.size(); ++head) sums[head / group] += head_norms[head];
  return sums;
}

}  // namespace retort::prune
