#include "constrained.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

namespace retort::distill {

double outside_penalty(double weight, std::int64_t m, LogProbs log_q, std::span<const std::int64_t> ids,
                       std::span<double> by_log_q) {
  std::vector<std::size_t> order(log_q.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const std::size_t count = std::min(static_cast<std::size_t>(m), order.size());
  std::partial_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
      [&](std::size_t a, std::size_t b) { return log_q[a] > log_q[b] || (log_q[a] == log_q[b] && a < b); });
  double penalty = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (std::binary_search(ids.begin(), ids.end(), static_cast<std::int64_t>(order[i]))) continue;
    const double term = weight * std::exp(log_q[order[i]]);
    penalty += term;
    by_log_q[order[i]] += term;
  }
  return penalty;
}

}  // namespace retort::distill
