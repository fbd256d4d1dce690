// The formula of cispo.h, in f64.
#include "cispo.h"

#include <algorithm>
#include <cmath>

namespace retort::rl {

TokenLoss cispo_token_loss(double floor, double cap, double advantage, double log_prob, double old_log_prob) {
  const double ratio = std::exp(log_prob - old_log_prob);
  const double weight = std::clamp(ratio, floor, cap);
  TokenLoss result;
  result.loss = -weight * advantage * log_prob;
  result.derivative = -weight * advantage;
  result.clipped = weight != ratio;
  return result;
}

}  // namespace retort::rl
