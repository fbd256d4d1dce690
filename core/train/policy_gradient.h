// Reinforcement learning on calls: the policy answers each prompt several times, a reward scores the answers, an RL
// plugin turns scores into advantages and a loss. No LibTorch in this header.
#pragma once

#include <filesystem>
#include <functional>
#include <vector>

#include "task/dataset.h"
#include "task/prompt_contract.h"
#include "train/fine_tuning.h"
#include "train/plugin_handle.h"

namespace retort::train {

/// One sampled answer, to be scored.
struct Rollout {
  const task::Example* example = nullptr;
  task::ParsedResponse response;
};

/// A score in [0,1], or -1 for malformed, per rollout.
using RewardFunction =
    std::function<std::vector<double>(const std::vector<task::Tool>& tools, const std::vector<Rollout>&)>;

/// Prompts and references are the labelled rows of train.jsonl; a batch counts prompts, each answered group_size times.
struct PolicyGradientJob : TrainingJob {
  std::filesystem::path policy;  ///< model folder to start from; also the frozen reference where one is asked for
  RlPlugin algorithm;
  RewardFunction reward;
  double temperature = 1.0;  ///< of the rollouts; above 0
  std::int64_t max_new_tokens = 64;
  std::int64_t validation_steps = 10;  ///< steps between validations
};

/// One optimiser step per batch of rollouts (strictly on-policy). Throws std::invalid_argument for an algorithm that
/// asks for a critic or for preference pairs, which this stage does not offer.
ModelSize policy_gradient(const PolicyGradientJob& job, const RunHooks& hooks);

}  // namespace retort::train
