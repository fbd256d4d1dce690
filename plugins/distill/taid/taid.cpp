#include "taid.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace retort::distill {

double interpolation(const TaidSchedule& schedule, std::int64_t step, std::int64_t total_steps) {
  const double progress = static_cast<double>(step) / static_cast<double>(std::max<std::int64_t>(total_steps, 1));
  return schedule.start + (schedule.end - schedule.start) * std::clamp(progress, 0.0, 1.0);
}

double taid(double t, LogProbs log_p, LogProbs log_q, std::span<double> by_log_q) {
  std::vector<double> between(log_p.size());
  double largest = -HUGE_VAL, total = 0;
  for (std::size_t i = 0; i < between.size(); ++i) {
    // Without the branches 0·−∞ would be NaN.
    between[i] = (t < 1 ? (1 - t) * log_q[i] : 0) + (t > 0 ? t * log_p[i] : 0);
    largest = std::max(largest, between[i]);
  }
  for (const double value : between) total += std::exp(value - largest);
  const double log_total = largest + std::log(total);
  for (double& value : between) value -= log_total;
  return forward_divergence(between, log_q, by_log_q);
}

}  // namespace retort::distill
