// The formulas of divergences.h, term by term in f64.
#include "divergences.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace retort::distill {

double log_add(double a, double b) {
  const double large = std::max(a, b), small = std::min(a, b);
  if (large == -std::numeric_limits<double>::infinity()) return large;
  return large + std::log1p(std::exp(small - large));
}

double forward_divergence(LogProbs log_p, LogProbs log_q, std::span<double> by_log_q) {
  double value = 0;
  for (std::size_t i = 0; i < log_p.size(); ++i) {
    const double p = std::exp(log_p[i]);
    if (p > 0) value += p * (log_p[i] - log_q[i]);
    if (!by_log_q.empty()) by_log_q[i] = -p;
  }
  return value;
}

double reverse_divergence(LogProbs log_p, LogProbs log_q, std::span<double> by_log_q) {
  double value = 0;
  for (std::size_t i = 0; i < log_p.size(); ++i) {
    const double q = std::exp(log_q[i]);
    const double ratio = q > 0 ? log_q[i] - log_p[i] : 0;
    value += q * ratio;
    if (!by_log_q.empty()) by_log_q[i] = q > 0 ? q * (ratio + 1) : 0;
  }
  return value;
}

double mixture_divergence(double beta, LogProbs log_p, LogProbs log_q, std::span<double> by_log_q) {
  if (beta <= 0) return forward_divergence(log_p, log_q, by_log_q);
  if (beta >= 1) return reverse_divergence(log_p, log_q, by_log_q);
  const double log_beta = std::log(beta), log_rest = std::log1p(-beta);
  double value = 0;
  for (std::size_t i = 0; i < log_p.size(); ++i) {
    const double p = std::exp(log_p[i]), q = std::exp(log_q[i]);
    const double log_m = log_add(log_beta + log_p[i], log_rest + log_q[i]);
    if (p > 0) value += beta * p * (log_p[i] - log_m);
    const double of_student = q > 0 ? (1 - beta) * q * (log_q[i] - log_m) : 0;
    value += of_student;
    if (!by_log_q.empty()) by_log_q[i] = of_student;
  }
  return value;
}

}  // namespace retort::distill
