// What stage.prune, stage.sparsify and stage.quantize have in common: the algorithm in their one slot, and what they
// find out about it before any work. No LibTorch.
#pragma once

#include <exception>
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

/// `requires_data` asks the algorithm what it requires, throws what is wrong with that, and says whether it needs the
/// input "dataset".
inline std::vector<std::string> compression_findings(const StageContext& context,
                                                     bool (*requires_data)(const retort_bound_component&)) {
  try {
    const retort_bound_component component = algorithm(context);
    if (!requires_data(component) || context.has_input("dataset")) return {};
    return {"algorithm: " + std::string(to_view(component.id)) +
            " wants calibration data; give the stage the input \"dataset\""};
  } catch (const std::exception& error) {
    return {std::string("algorithm: ") + error.what()};
  }
}

}  // namespace retort::stages
