// The formulas of ppo.h, in f64.
#include "ppo.h"

#include <algorithm>

namespace retort::rl {

ValueLoss value_loss(double clip, double value, double old_value, double target) {
  const double free = (value - target) * (value - target);
  const double near = clip > 0 ? std::clamp(value, old_value - clip, old_value + clip) : value;
  const double bounded = (near - target) * (near - target);
  ValueLoss result;
  result.clipped = bounded > free;
  result.loss = 0.5 * std::max(free, bounded);
  result.derivative = result.clipped ? 0 : value - target;
  return result;
}

}  // namespace retort::rl
