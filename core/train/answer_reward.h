// Scores sampled answers with a reward component, after an environment (if any) executed them and their references.
// No LibTorch.
#pragma once

#include <optional>
#include <vector>

#include "host/algorithm/environment_call.h"
#include "host/algorithm/reward_call.h"
#include "train/answers.h"

namespace retort::train {

/// A RewardFunction. One thread.
class AnswerReward {
 public:
  AnswerReward(host::RewardCall reward, std::optional<host::EnvironmentCall> environment)
      : reward_(std::move(reward)), environment_(std::move(environment)) {}

  /// Each answer runs in a world of its own, unless its rollout was executed turn by turn; the reference of a prompt
  /// once, however many answers the prompt has. Of a rollout of several turns the reward sees all calls, and the
  /// messages up to the last answer. Throws as host::RewardCall::score and host::EnvironmentCall::execute_once.
  std::vector<host::RewardItem> operator()(const std::vector<task::Tool>& tools,
                                           const std::vector<SampledAnswer>& answers) const;

 private:
  nlohmann::json items_of(const std::vector<SampledAnswer>& answers) const;

  host::RewardCall reward_;
  std::optional<host::EnvironmentCall> environment_;
};

}  // namespace retort::train
