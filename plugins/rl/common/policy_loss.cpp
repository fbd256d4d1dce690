// The formulas of policy_loss.h, in f64.
#include "policy_loss.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace retort::rl {

TokenLoss clipped_surrogate(const Clip* clip, double advantage, double log_prob, double old_log_prob) {
  TokenLoss result;
  const double ratio = std::exp(log_prob - old_log_prob);
  const double free = ratio * advantage;
  const double bounded = clip == nullptr ? free : std::clamp(ratio, 1 - clip->low, 1 + clip->high) * advantage;
  result.clipped = bounded < free;
  result.loss = -std::min(free, bounded);
  result.derivative = result.clipped ? 0 : -free;  // d ρ / d log π = ρ
  return result;
}

double k1(double log_prob, double reference_log_prob) {
  return log_prob - reference_log_prob;
}

double k3(double log_prob, double reference_log_prob) {
  const double d = reference_log_prob - log_prob;
  return std::expm1(d) - d;
}

double k3_derivative(double log_prob, double reference_log_prob) {
  return -std::expm1(reference_log_prob - log_prob);
}

double sampler_weight(double cap, double old_log_prob, double sampler_log_prob) {
  return cap > 0 ? std::min(std::exp(old_log_prob - sampler_log_prob), cap) : 1.0;
}

Aggregation aggregation_named(const std::string& name) {
  if (name == "token_mean") return Aggregation::token_mean;
  if (name == "sequence_mean") return Aggregation::sequence_mean;
  if (name == "sequence_sum") return Aggregation::sequence_sum;
  if (name == "maximum_length") return Aggregation::maximum_length;
  throw std::invalid_argument("loss_aggregation: found \"" + name + "\"");
}

double token_weight(Aggregation aggregation, double row_tokens, const UpdateSize& update) {
  const auto rows = static_cast<double>(update.rows);
  double divisor = 0;
  const char* name = "";
  switch (aggregation) {
    case Aggregation::token_mean:
      divisor = static_cast<double>(update.tokens);
      name = "update_tokens";
      break;
    case Aggregation::sequence_mean:
      divisor = rows * row_tokens;
      name = "update_rows times the row's tokens";
      break;
    case Aggregation::sequence_sum:
      divisor = rows;
      name = "update_rows";
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
