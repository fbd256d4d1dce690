// See ffn_ls.h; the removal itself is hessian_inverse.h's.
#include "ffn_ls.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>

#include "hessian_inverse.h"

namespace retort::prune {

namespace {

using compression::ColumnRemoval;
using compression::DampedFactor;

std::vector<std::vector<double>> columns_of(std::span<const float> down, std::int64_t feed_forward) {
  const auto width = static_cast<std::size_t>(feed_forward);
  std::vector<std::vector<double>> columns(width, std::vector<double>(down.size() / width));
  for (std::size_t i = 0; i < down.size(); ++i) {
    if (!std::isfinite(down[i]))
      throw std::invalid_argument("row " + std::to_string(i / width) + ", column " + std::to_string(i % width) +
                                  ": expected a finite weight, found " + std::to_string(down[i]));
    columns[i % width][i / width] = static_cast<double>(down[i]);
  }
  return columns;
}

/// Σ w·(R·Rᵀ)·w over rows w: |Rᵀ·w|².
double whole_error(const std::vector<std::vector<double>>& columns, const DampedFactor& factor) {
  const std::size_t n = columns.size();
  double sum = 0;
  std::vector<double> product(columns.front().size());
  for (std::size_t i = 0; i < n; ++i) {
    std::fill(product.begin(), product.end(), 0.0);
    for (std::size_t j = 0; j <= i; ++j)
      for (std::size_t o = 0; o < product.size(); ++o) product[o] += factor.values[j * n + i] * columns[j][o];
    for (const double value : product) sum += value * value;
  }
  return sum;
}

/// The `count` least, the lower index first.
std::vector<std::int64_t> cheapest(const std::vector<double>& costs, std::int64_t count) {
  std::vector<std::int64_t> order(costs.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return costs[static_cast<std::size_t>(a)] < costs[static_cast<std::size_t>(b)];
  });
  order.resize(static_cast<std::size_t>(count));
  return order;
}

}  // namespace

std::int64_t channels_that_stay(std::int64_t feed_forward, double remove, std::int64_t target, std::int64_t round_to) {
  if (target < 0 || target > feed_forward)
    throw std::invalid_argument("feed_forward: expected a target of at most the present " +
                                std::to_string(feed_forward) + ", found " + std::to_string(target));
  if (target > 0) return target;
  const double share = (1 - remove) * static_cast<double>(feed_forward);
  const auto least = std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(share - 1e-9)));
  return std::min(feed_forward, (least + round_to - 1) / round_to * round_to);
}

ReconstructedDown reconstructed(std::span<const float> down, const compression::HessianView& hessian, std::int64_t stay,
                                const ReconstructionOptions& options, const std::function<void()>& poll) {
  const std::int64_t feed_forward = hessian.size;
  std::vector<std::vector<double>> columns = columns_of(down, feed_forward);
  std::vector<std::int64_t> order(columns.size());
  std::iota(order.begin(), order.end(), 0);
  const DampedFactor factor = compression::damped_factor(
      hessian, order, {options.damping, options.damping_step, compression::ColumnOrder::stored}, poll);
  const double whole = whole_error(columns, factor);
  ColumnRemoval removal(compression::inverse_of(factor.values, feed_forward, poll), std::move(columns));
  ReconstructedDown result;
  result.damping = factor.damping;
  result.raises = factor.raises;
  double error = 0;
  std::vector<double> costs = removal.costs();
  for (std::int64_t left = feed_forward; left > stay; costs = removal.costs()) {
    poll();
    const std::vector<std::int64_t> gone = cheapest(costs, std::min(options.at_once, left - stay));
    error += removal.remove(gone);
    left -= static_cast<std::int64_t>(gone.size());
  }
  result.error = whole > 0 ? error / whole : 0;
  result.weights.assign(down.size(), 0.0f);
  for (std::int64_t j = 0; j < feed_forward; ++j) {
    if (std::isinf(costs[static_cast<std::size_t>(j)])) continue;
    result.kept.push_back(j);
    const std::vector<double>& column = removal.column(j);
    for (std::size_t o = 0; o < column.size(); ++o)
      result.weights[o * static_cast<std::size_t>(feed_forward) + static_cast<std::size_t>(j)] =
          static_cast<float>(column[o]);
  }
  return result;
}

}  // namespace retort::prune
