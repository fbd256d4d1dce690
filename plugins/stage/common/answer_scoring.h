// What the stages that score sampled answers have in common: slots "reward" and "environment", and their checks. No
// LibTorch.
#pragma once

#include <exception>
#include <optional>
#include <retort/sdk.hpp>
#include <string>
#include <vector>

#include "train/answer_reward.h"

namespace retort::stages {

/// Runs `body`; what it throws becomes a finding of `slot`.
template <typename Body>
void collect(std::vector<std::string>& findings, const std::string& slot, const Body& body) {
  try {
    body();
  } catch (const std::exception& error) {
    findings.push_back(slot + ": " + error.what());
  }
}

inline host::RewardCall reward_of(const StageContext& context) {
  const BoundComponent reward = *context.slot("reward");
  return {std::string(reward.id()), reward.instance(), reward.functions<retort_reward_v1>()};
}

inline std::optional<host::EnvironmentCall> environment_of(const StageContext& context) {
  const auto found = context.slot("environment");
  if (!found) return std::nullopt;
  return host::EnvironmentCall(std::string(found->id()), found->instance(), found->functions<retort_environment_v1>());
}

/// Scores with what stands in the slots. Throws std::invalid_argument for weights that do not fit the reward's scores.
inline train::AnswerReward answer_reward(const StageContext& context, const std::vector<double>& weights) {
  host::RewardCall reward = reward_of(context);
  train::expect_weights(weights, reward.names().size());
  return {std::move(reward), environment_of(context)};
}

inline void check_reward(std::vector<std::string>& findings, const StageContext& context,
                         const std::vector<double>& weights) {
  collect(findings, "reward", [&] { train::expect_weights(weights, reward_of(context).names().size()); });
}

}  // namespace retort::stages
