// Learning-rate schedules behind a linear warm-up: cosine (Loshchilov and Hutter, arXiv 1608.03983), warm-up, stable
// and decay (Hu et al., arXiv 2404.06395, with the linear decay of Hägele et al., arXiv 2405.18392), constant.
#pragma once

#include <cstdint>
#include <string>

namespace retort::train {

struct LearningRateSchedule {
  double peak = 1e-3;
  std::int64_t total_steps = 1;
  double warmup_fraction = 0.05;  ///< share of the steps that rise linearly from peak/warm-up steps; 0 = off
  double final_fraction = 0.05;   ///< of the peak, reached at the last step; not by "constant"
  std::string shape = "cosine";   ///< after the warm-up: "cosine", "wsd" or "constant"
  double decay_fraction = 0.2;    ///< of "wsd": share of the steps, the last ones, that fall linearly

  /// The rate of step 0 … total_steps − 1. Throws std::invalid_argument for another shape.
  double at(std::int64_t step) const;
};

}  // namespace retort::train
