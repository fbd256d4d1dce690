// What LoRA lets the user set. No LibTorch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace retort::train {

struct LowRankOptions {
  std::int64_t rank = 0;  ///< of the factors; 0 = off: all weights learn
  double alpha = 16;      ///< what is added is alpha/rank·B·A
  /// Matrices of every layer by the last part of their names.
  std::vector<std::string> targets = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"};
};

}  // namespace retort::train
