// When a training answers held-out utterances, and what follows from how many it answers well. No LibTorch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace retort::train {

struct ModelSelection {
  std::int64_t steps = 0;          ///< optimiser steps between validations; 0 = one at the end of every epoch
  std::vector<std::string> kinds;  ///< metadata "kind" of the rows that are answered; empty: all rows
  std::string keep = "last";       ///< "last", or "best": the weights of the best validation, the earliest of equals
  std::int64_t patience = 0;       ///< validations in a row without a better one after which training ends; 0 = off
};

}  // namespace retort::train
