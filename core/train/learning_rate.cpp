#include "train/learning_rate.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace retort::train {

double LearningRateSchedule::at(std::int64_t step) const {
  const double warmup = std::floor(warmup_fraction * static_cast<double>(total_steps));
  const auto now = static_cast<double>(step);
  if (now < warmup) return peak * (now + 1) / warmup;
  const double span = std::max(1.0, static_cast<double>(total_steps) - 1 - warmup);
  const double share = std::clamp((now - warmup) / span, 0.0, 1.0);
  return peak * (final_fraction + (1 - final_fraction) * 0.5 * (1 + std::cos(std::numbers::pi * share)));
}

}  // namespace retort::train
