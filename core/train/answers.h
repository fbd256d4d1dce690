// Answers that a policy sampled, and how they are scored: what policy gradient and preferences from samples share.
// No LibTorch.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "host/algorithm/reward_call.h"
#include "task/dataset.h"
#include "task/prompt_contract.h"

namespace retort::train {

/// One sampled answer.
struct SampledAnswer {
  const task::Example* example = nullptr;
  std::size_t prompt = 0;  ///< of the batch; answers to one prompt follow each other
  task::ParsedResponse response;
  std::string text;  ///< as the model wrote it, invalid UTF-8 as U+FFFD
  // Of a rollout of several turns, whose last answer stands above:
  std::vector<task::Message> turns =
      {};                              ///< earlier answers and what tools said to them, behind the example's messages
  nlohmann::json execution = nullptr;  ///< of all its calls in one world; null: they were not executed
};

/// One verdict an answer, in their order.
using RewardFunction = std::function<std::vector<host::RewardItem>(const std::vector<task::Tool>& tools,
                                                                   const std::vector<SampledAnswer>& answers)>;

/// The number that counts of a verdict's named scores: the first, or the sum weighted by `weights` (one a score).
double combined_score(const std::vector<double>& scores, const std::vector<double>& weights);

/// Throws std::invalid_argument unless there are no weights, or as many as the reward has scores.
void expect_weights(const std::vector<double>& weights, std::size_t scores);

}  // namespace retort::train
