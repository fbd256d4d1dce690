// Cosine learning-rate schedule with linear warm-up (Loshchilov and Hutter, https://arxiv.org/abs/1608.03983).
#pragma once

#include <cstdint>

namespace retort::train {

struct LearningRateSchedule {
  double peak = 1e-3;
  std::int64_t total_steps = 1;
  double warmup_fraction = 0.05;  ///< share of the steps that rise linearly from peak/warm-up steps; 0 = off
  double final_fraction = 0.05;   ///< of the peak, reached at the last step

  /// The rate of step 0 … total_steps − 1.
  double at(std::int64_t step) const;
};

}  // namespace retort::train
