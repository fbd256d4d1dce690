#include "abkd.h"

#include <cmath>

namespace retort::distill {

namespace {

struct Term {
  double value, by_log_q;
};

/// 1/a²·(x·log(x/y) − x + y) of x = exp(a·log_x), y = exp(a·log_y): the limits, of either side.
double limit(double a, double log_x, double log_y) {
  const double x = std::exp(a * log_x);
  return ((x > 0 ? a * x * (log_x - log_y) : 0) - x + std::exp(a * log_y)) / (a * a);
}

Term term(double alpha, double beta, double log_p, double log_q) {
  if (beta == 0) return {limit(alpha, log_p, log_q), (std::exp(alpha * log_q) - std::exp(alpha * log_p)) / alpha};
  if (alpha == 0) {
    const double power = std::exp(beta * log_q);
    return {limit(beta, log_q, log_p), power > 0 ? power * (log_q - log_p) : 0};
  }
  const double both = alpha + beta;
  const double product = std::exp(alpha * log_p + beta * log_q), own = std::exp(both * log_q);
  return {-(product - alpha / both * std::exp(both * log_p) - beta / both * own) / (alpha * beta),
          (own - product) / alpha};
}

}  // namespace

double alpha_beta_divergence(double alpha, double beta, LogProbs log_p, LogProbs log_q, std::span<double> by_log_q) {
  double value = 0;
  for (std::size_t i = 0; i < log_p.size(); ++i) {
    const Term found = term(alpha, beta, log_p[i], log_q[i]);
    value += found.value;
    if (!by_log_q.empty()) by_log_q[i] = found.by_log_q;
  }
  return value;
}

}  // namespace retort::distill
