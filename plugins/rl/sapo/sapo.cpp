// The formula of sapo.h, in f64.
#include "sapo.h"

#include <cmath>

namespace retort::rl {

TokenLoss sapo_token_loss(double temperature_positive, double temperature_negative, double advantage, double log_prob,
                          double old_log_prob) {
  const double ratio = std::exp(log_prob - old_log_prob);
  const double temperature = advantage > 0 ? temperature_positive : temperature_negative;
  const double gate = 1 / (1 + std::exp(-temperature * (ratio - 1)));
  TokenLoss result;
  result.loss = -advantage * 4 / temperature * gate;
  const double slope = 4 * gate * (1 - gate);
  result.derivative = slope == 0 ? 0 : -advantage * ratio * slope;  // far out ρ may be infinite
  return result;
}

}  // namespace retort::rl
