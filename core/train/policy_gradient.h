// Reinforcement learning on calls: the policy answers each prompt several times, a reward scores the answers, an RL
// plugin turns scores into advantages, and these into one or several updates. No LibTorch in this header.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "host/algorithm/environment_call.h"
#include "host/algorithm/rl_call.h"
#include "train/answers.h"
#include "train/fine_tuning.h"

namespace retort::train {

/// What policy_gradient() can give an algorithm; token rewards only where the job has a source of them (token_reward or
/// teacher).
inline constexpr std::uint64_t policy_gradient_signals = RETORT_SIGNAL_REFERENCE_LOG_PROBS | RETORT_SIGNAL_VALUES |
                                                         RETORT_SIGNAL_ENTROPIES | RETORT_SIGNAL_SAMPLER_LOG_PROBS;

/// A reward for every token of a response, [R] rows of as many numbers as the response has tokens.
using TokenRewardFunction = std::function<std::vector<std::vector<float>>(
    const std::vector<SampledAnswer>&, const std::vector<std::vector<text::TokenId>>& responses)>;

/// Prompts and references are the labelled rows of train.jsonl. A batch counts prompts, each answered group_size times;
/// `training.steps` and `epochs` count batches of rollouts, each of updates·mini_batches optimiser steps.
struct PolicyGradientJob : TrainingJob {
  std::filesystem::path policy;  ///< model folder to start from; also the frozen reference where one is asked for
  std::vector<host::RlCall> algorithm;  ///< at least one instance; as many as threads are to compute its loss
  RewardFunction reward;
  std::vector<double> reward_weights;  ///< of the named scores; empty: the first alone
  TokenRewardFunction token_reward;    ///< may be empty
  /// Model folder with the policy's tokenizer, whose log-probabilities reward every token (teacher_reward.h): they are
  /// added to the token rewards of an algorithm that asks for these, and else to the advantages.
  std::optional<std::filesystem::path> teacher;
  double teacher_weight = 0;              ///< 0: 1 for an algorithm that asks for token rewards, an error for another
  std::string rollout_precision = "f32";  ///< of the sampler's weights and cache: "f32" or "bf16"
  bool grammar = false;                   ///< rollouts are what the task's call grammar allows (rollouts.h)
  /// Answers of one rollout, of max_new_tokens each: above 1, `environment` executes the calls of an answer, the policy
  /// reads the results, and goes on (rollouts.h). Tokens of results are no part of loss, log-probabilities and lengths.
  std::int64_t max_turns = 1;
  std::optional<host::EnvironmentCall> environment;  ///< needed above one turn
  std::int64_t max_result_tokens = 256;              ///< room for the results of one turn; at least 1
  double temperature = 1.0;                          ///< of the rollouts, and of all log-probabilities; above 0
  std::int64_t max_new_tokens = 64;
  std::int64_t validation_steps = 10;  ///< batches of rollouts between validations
};

/// Answers whose reward says "error" leave the batch with their whole group; a batch that nothing is left of is an
/// error. An algorithm that asks to be refilled gets other prompts in place of those it keeps nothing of
/// ("refilled_prompts", and "missing_prompts" where that did not suffice). Stopped between the updates of a batch, the
/// run leaves the batch beside its checkpoint and goes on in the middle of it. Collapsing entropy, a KL that runs away
/// and rewards that stay equal are warned of (policy_diagnosis.h). The metric "sampler_difference" is the mean |Δ
/// log-probability| of a token between sampler and trainer, "teacher_divergence" the mean of log π − log p of the
/// teacher; "tokens_per_second" counts the sequences of an update, prompts included, and of a batch's first update
/// the time of its rollouts too; of several turns "turns" is the mean of a rollout's answers, "cut_turns" the share of
/// those whose last answer still called. Throws std::invalid_argument for an algorithm that asks for what the job
/// cannot give.
ModelSize policy_gradient(const PolicyGradientJob& job, const RunHooks& hooks);

}  // namespace retort::train
