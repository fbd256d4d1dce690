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
  TokenLoss result;
  const double ratio = std::exp(log_prob - old_log_prob);
  const double free = ratio * advantage;
  const double bounded = std::clamp(ratio, 1 - options.clip_low, 1 + options.clip_high) * advantage;
  result.clipped = bounded < free;
  result.loss = -std::min(free, bounded);
  result.derivative = result.clipped ? 0 : -free;  // d ρ / d log π = ρ
  if (options.kl_coefficient > 0) {
    const double d = reference_log_prob - log_prob;
    result.kl = std::expm1(d) - d;
    result.loss += options.kl_coefficient * result.kl;
    result.derivative -= options.kl_coefficient * std::expm1(d);
  }
  return result;
}

double token_weight(const GrpoOptions& options, double row_tokens, const UpdateSize& update) {
  const auto rows = static_cast<double>(update.rows);
  double divisor = 0;
  const char* name = "";
  switch (options.aggregation) {
    case Aggregation::token_mean:
      divisor = static_cast<double>(update.tokens);
      name = "update_tokens";
      break;
    case Aggregation::sequence_mean:
      divisor = rows * row_tokens;
      name = "update_rows times the row's tokens";
      break;
    case Aggregation::maximum_length:
      divisor = rows * static_cast<double>(update.maximum_tokens);
      name = "update_rows times maximum_tokens";
      break;
  }
  if (!(divisor > 0))
    throw std::invalid_argument(std::string(name) + ": expected a positive divisor for the loss, found " +
                                std::to_string(divisor));
  return 1 / divisor;
}

}  // namespace retort::rl
