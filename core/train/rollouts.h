// Answers of the policy that is being trained, many to a prompt. Internal to core/train.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "grammar/grammar.h"
#include "train/answers.h"
#include "train/model_weights.h"
#include "train/policy_engine.h"
#include "train/sequences.h"
#include "train/tool_turns.h"

namespace retort::train {

struct RolloutSettings {
  double temperature = 1;  ///< above 0
  std::int64_t max_new_tokens = 64;
  std::int64_t group_size = 1;
  runtime::RolloutPrecision precision = runtime::RolloutPrecision::f32;
  /// Answers are what the task's call grammar allows. A log-probability is then of what was drawn from, over the tokens
  /// allowed: higher than the model's own by the mass of the others.
  bool grammar = false;
  /// Answers of one rollout. Above 1, an answer that calls is executed by `environment`, its results follow as turns of
  /// the tool, and the policy answers again, until it does not call or this many answers were given.
  std::int64_t max_turns = 1;
  const host::EnvironmentCall* environment = nullptr;  ///< borrowed; needed above one turn
  /// Room for the results of one turn: the context holds prompt, answers and as many of these. A rollout whose results
  /// find no room ends.
  std::int64_t max_result_tokens = 256;
};

/// Row b·G+g is sample g of prompt b. A response of several turns is all of them, with the tools' results between; its
/// sequence's mask is 0 where a token is not the policy's own.
struct RolloutBatch {
  std::vector<Sequence> sequences;            ///< prompt and sampled response
  std::vector<std::vector<float>> log_probs;  ///< of the response's tokens, as the engine drew them; 0 of results
  std::vector<bool> finished;                 ///< the last answer by the end token; false where results had no room
  std::vector<SampledAnswer> answers;
};

class RolloutSampler {
 public:
  /// Borrows the first three. `prompts` are sequences of `examples`, whose responses are not looked at. Throws
  /// std::invalid_argument for a grammar where rows have tools of their own, and for tools that have none; for turns
  /// below 1, without an environment, or that the prompt form cannot show.
  RolloutSampler(const CallModule& policy, const std::vector<task::Example>& examples,
                 const std::vector<Sequence>& prompts, const RolloutSettings& settings, std::int64_t threads);
  /// Of the policy's present weights. batch[i] is number `first` + i of the prompts that this seed answers: what is
  /// drawn depends on that and the seed, not on the process that answers, nor on what else it answers.
  RolloutBatch sample(std::span<const std::size_t> batch, std::uint64_t seed, std::size_t first = 0);

 private:
  RolloutBatch first_turns(std::span<const std::size_t> batch, std::uint64_t seed, std::size_t first);
  std::vector<runtime::Rollout> answers(std::span<const std::vector<text::TokenId>> asked,
                                        std::span<const std::uint64_t> numbers, std::int64_t group_size,
                                        std::uint64_t seed);
  void further_turns(RolloutBatch& rollouts, std::uint64_t seed, std::size_t first);
  bool goes_on(RolloutBatch& rollouts, std::size_t row, std::int64_t turn, std::unique_ptr<ToolTurns>& world) const;

  const CallModule& policy_;
  const std::vector<task::Example>& examples_;
  const std::vector<Sequence>& prompts_;
  RolloutSettings settings_;
  std::unique_ptr<grammar::Grammar> grammar_;  ///< null: off
  std::int64_t context_;                       ///< tokens of prompt and response
  PolicyEngine engine_;
};

/// The answer to `asked` that the tokens are; malformed where their bytes are not UTF-8.
task::ParsedResponse parse_answer(const CallModule& policy, const std::vector<text::TokenId>& tokens,
                                  const task::Conversation& asked);

}  // namespace retort::train
