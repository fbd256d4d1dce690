#include "train/learning_rate.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>

namespace retort::train {

double LearningRateSchedule::at(std::int64_t step) const {
  const double warmup = std::floor(warmup_fraction * static_cast<double>(total_steps));
  const auto now = static_cast<double>(step);
  if (now < warmup) return peak * (now + 1) / warmup;
  if (shape == "constant") return peak;
  const double last = std::max(1.0, static_cast<double>(total_steps) - 1);
  if (shape == "wsd") {
    const double fall =
        std::clamp(decay_fraction * static_cast<double>(total_steps), 1.0, std::max(1.0, last - warmup));
    const double share = std::clamp((now - (last - fall)) / fall, 0.0, 1.0);
    return peak * (1 - (1 - final_fraction) * share);
  }
  if (shape != "cosine")
    throw std::invalid_argument("schedule: expected \"cosine\", \"wsd\" or \"constant\", found \"" + shape + "\"");
  const double span = std::max(1.0, static_cast<double>(total_steps) - 1 - warmup);
  const double share = std::clamp((now - warmup) / span, 0.0, 1.0);
  return peak * (final_fraction + (1 - final_fraction) * 0.5 * (1 + std::cos(std::numbers::pi * share)));
}

}  // namespace retort::train
