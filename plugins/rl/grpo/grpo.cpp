// The formulas of grpo.h, in f64.
#include "grpo.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace retort::rl {

bool group_advantages(const GrpoOptions& options, std::span<const float> rewards, std::span<double> advantages) {
  const auto count = static_cast<double>(rewards.size());
  double mean = 0;
  for (std::size_t g = 0; g < rewards.size(); ++g) {
    if (!std::isfinite(rewards[g]))
      throw std::invalid_argument("reward of sample " + std::to_string(g) + ": expected a finite number, found " +
                                  std::to_string(rewards[g]));
    mean += static_cast<double>(rewards[g]) / count;
  }
  const auto [low, high] = std::minmax_element(rewards.begin(), rewards.end());
  if (*low == *high) {  // compared exactly: a rounded standard deviation of equal rewards need not be 0
    std::fill(advantages.begin(), advantages.end(), 0.0);
    return false;
  }
  double squares = 0;
  for (const float reward : rewards)
    squares += (static_cast<double>(reward) - mean) * (static_cast<double>(reward) - mean);
  const double divisor =
      options.scale == Scale::std_unbiased ? std::sqrt(squares / (count - 1)) + options.epsilon : 1.0;
  for (std::size_t g = 0; g < rewards.size(); ++g) advantages[g] = (static_cast<double>(rewards[g]) - mean) / divisor;
  return true;
}

TokenLoss token_loss(const GrpoOptions& options, double advantage, double log_prob, double old_log_prob,
                     double reference_log_prob) {
  TokenLoss result = clipped_surrogate(&options.clip, advantage, log_prob, old_log_prob);
  if (options.kl_coefficient > 0) {
    result.kl = k3(log_prob, reference_log_prob);
    result.loss += options.kl_coefficient * result.kl;
    result.derivative += options.kl_coefficient * k3_derivative(log_prob, reference_log_prob);
  }
  return result;
}

}  // namespace retort::rl
