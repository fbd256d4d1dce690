#include "skew_kl.h"

#include <cmath>

namespace retort::distill {

double skew_forward(double alpha, LogProbs log_p, LogProbs log_q, std::span<double> by_log_q) {
  const double log_alpha = std::log(alpha), log_rest = std::log1p(-alpha);
  double value = 0;
  for (std::size_t i = 0; i < log_p.size(); ++i) {
    const double p = std::exp(log_p[i]), log_m = log_add(log_alpha + log_p[i], log_rest + log_q[i]);
    if (p > 0) value += p * (log_p[i] - log_m);
    if (!by_log_q.empty()) by_log_q[i] = p > 0 ? -p * std::exp(log_rest + log_q[i] - log_m) : 0;
  }
  return value;
}

double skew_reverse(double alpha, LogProbs log_p, LogProbs log_q, std::span<double> by_log_q) {
  const double log_alpha = std::log(alpha), log_rest = std::log1p(-alpha);
  double value = 0;
  for (std::size_t i = 0; i < log_p.size(); ++i) {
    const double q = std::exp(log_q[i]), log_m = log_add(log_rest + log_p[i], log_alpha + log_q[i]);
    const double ratio = q > 0 ? log_q[i] - log_m : 0;
    value += q * ratio;
    if (!by_log_q.empty()) by_log_q[i] = q > 0 ? q * (ratio + 1 - std::exp(log_alpha + log_q[i] - log_m)) : 0;
  }
  return value;
}

}  // namespace retort::distill
