#include "akl.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <vector>

namespace retort::distill {

double head_weight(double mu, LogProbs log_p, LogProbs log_q) {
  std::vector<std::size_t> order(log_p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return log_p[a] > log_p[b] || (log_p[a] == log_p[b] && a < b); });
  double sum = 0, head = 0, tail = 0;
  bool in_head = true;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const double p = std::exp(log_p[order[i]]), gap = std::abs(p - std::exp(log_q[order[i]]));
    sum += p;
    in_head = in_head && (i == 0 || sum <= mu);
    (in_head ? head : tail) += gap;
  }
  return head + tail > 0 ? head / (head + tail) : 0.5;
}

double akl(double mu, LogProbs log_p, LogProbs log_q, std::span<double> by_log_q) {
  const double weight = head_weight(mu, log_p, log_q);
  const double forward = forward_divergence(log_p, log_q, by_log_q);
  std::vector<double> by_forward(by_log_q.begin(), by_log_q.end());
  const double reverse = reverse_divergence(log_p, log_q, by_log_q);
  for (std::size_t i = 0; i < by_log_q.size(); ++i) by_log_q[i] = weight * by_forward[i] + (1 - weight) * by_log_q[i];
  return weight * forward + (1 - weight) * reverse;
}

}  // namespace retort::distill
