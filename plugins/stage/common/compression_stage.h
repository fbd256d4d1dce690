// What stage.prune, stage.sparsify and stage.quantize have in common: the algorithm in their one slot, and what they
// find out about it before any work. No LibTorch.
#pragma once

#include <exception>
#include <functional>
#include <retort/sdk.hpp>
#include <string>
#include <vector>

#include "training_stage.h"

namespace retort::stages {

/// What stands in the slot "algorithm".
inline retort_bound_component algorithm(const StageContext& context) {
  const retort_stage_context& abi = context.abi();
  const retort_bound_component* found = abi.component(abi.context, to_abi("algorithm"), 0);
  if (found == nullptr) throw std::invalid_argument("algorithm: expected a component, found none");
  return *found;
}

/// `ask` asks the algorithm what it requires and throws what is wrong with that.
inline std::vector<std::string> compression_findings(const std::function<void()>& ask) {
  try {
    ask();
    return {};
  } catch (const std::exception& error) {
    return {std::string("algorithm: ") + error.what()};
  }
}

}  // namespace retort::stages
