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

namespace retort::train {

struct RolloutSettings {
  double temperature = 1;  ///< above 0
  std::int64_t max_new_tokens = 64;
  std::int64_t group_size = 1;
  runtime::RolloutPrecision precision = runtime::RolloutPrecision::f32;
  /// Answers are what the task's call grammar allows. A log-probability is then of what was drawn from, over the tokens
  /// allowed: higher than the model's own by the mass of the others.
  bool grammar = false;
};

/// Row b·G+g is sample g of prompt b.
struct RolloutBatch {
  std::vector<Sequence> sequences;            ///< prompt and sampled response
  std::vector<std::vector<float>> log_probs;  ///< of the response's tokens, as the engine drew them
  std::vector<bool> finished;                 ///< by the end token
  std::vector<SampledAnswer> answers;
};

class RolloutSampler {
 public:
  /// Borrows the first three. `prompts` are sequences of `examples`, whose responses are not looked at. Throws
  /// std::invalid_argument for a grammar where rows have tools of their own, and for tools that have none.
  RolloutSampler(const CallModule& policy, const std::vector<task::Example>& examples,
                 const std::vector<Sequence>& prompts, const RolloutSettings& settings, std::int64_t threads);
  /// Of the policy's present weights.
  RolloutBatch sample(std::span<const std::size_t> batch, std::uint64_t seed);

 private:
  const CallModule& policy_;
  const std::vector<task::Example>& examples_;
  const std::vector<Sequence>& prompts_;
  RolloutSettings settings_;
  std::unique_ptr<grammar::Grammar> grammar_;  ///< null: off
  PolicyEngine engine_;
};

/// The answer to `asked` that the tokens are; malformed where their bytes are not UTF-8.
task::ParsedResponse parse_answer(const CallModule& policy, const std::vector<text::TokenId>& tokens,
                                  const task::Conversation& asked);

}  // namespace retort::train
