// What stage.prune, stage.sparsify and stage.quantize have in common: the algorithm in their one slot, and what they
// find out about it before any work. No LibTorch.
#pragma once

#include <exception>
#include <retort/sdk.hpp>
#include <string>
#include <vector>

#include "train/recovery.h"
#include "training_stage.h"

namespace retort::stages {

/// What stands in a slot, in the config's order.
inline std::vector<retort_bound_component> bound(const StageContext& context, std::string_view slot) {
  const retort_stage_context& abi = context.abi();
  std::vector<retort_bound_component> all;
  for (std::uint64_t i = 0; i < abi.component_count(abi.context, to_abi(slot)); ++i)
    all.push_back(*abi.component(abi.context, to_abi(slot), i));
  return all;
}

/// A component that the host made for the stage (StageContext::create), as core/train takes one.
template <typename Table>
retort_bound_component bound(const BoundComponent& made) {
  return {sizeof(retort_bound_component), 0, to_abi(made.slot()), to_abi(made.id()), made.instance(),
          &made.functions<Table>()};
}

/// What stands in the slot "algorithm".
inline retort_bound_component algorithm(const StageContext& context) {
  const std::vector<retort_bound_component> found = bound(context, "algorithm");
  if (found.empty()) throw std::invalid_argument("algorithm: expected a component, found none");
  return found.front();
}

/// Of what was cut; `field` is the RecoveryOptions member of a stage's Params.
inline ParameterSet<train::RecoveryOptions> recovery_parameters() {
  using R = train::RecoveryOptions;
  return params<R>()
      .object("training", &R::training, training_parameters())
      .object("validation", &R::validation, selection_parameters())
      .integer("validation_limit", &R::validation_limit)
      .at_least(0)
      .unit("utterances")
      .doc("answered at every validation; 0 = off")
      .number("prompt_loss_weight", &R::prompt_loss_weight)
      .at_least(0)
      .at_most(1)
      .doc("of the prompt's positions in the loss; 0 = responses only")
      .boolean("rewind", &R::rewind)
      .doc(
          "learning-rate rewinding: every round goes through the whole schedule anew; false: rounds after the first go "
          "on at the rate that it ended with");
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
