// Exact match of greedy answers on held-out utterances while training. Internal to core/train.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "task/dataset.h"
#include "train/epochs.h"
#include "train/model_weights.h"
#include "train/policy_engine.h"
#include "train/trainer.h"

namespace retort::train {

/// The first `limit` labelled examples of `dataset`/validation.jsonl, of those whose metadata "kind" is one of `kinds`
/// where any are given; empty if there is no such file or limit is 0. Throws std::runtime_error where more than
/// max_rejected_share of its rows are no chat rows, std::invalid_argument for a kind that no labelled row has.
std::vector<task::Example> validation_examples(const std::filesystem::path& dataset, std::int64_t limit,
                                               double max_rejected_share = 0.01,
                                               const std::vector<std::string>& kinds = {});

/// Answers the same examples again and again while a model learns, greedily.
class Validator {
 public:
  /// Borrows the first three. `poll` is called between batches of answers.
  Validator(
      DecoderModule& decoder, const text::Tokenizer& tokenizer, const task::PromptContract& contract,
      std::vector<task::Example> examples, std::int64_t threads, std::function<void()> poll = [] {},
      std::int64_t max_new_tokens = 96);
  bool empty() const { return examples_.empty(); }
  /// Share in [0,1] of the examples whose answer is exactly the expected calls, by the weights of now. A prompt that
  /// leaves the model no room for an answer, or that its form cannot show, counts as one that it got wrong.
  double exact_match_share();

 private:
  const text::Tokenizer& tokenizer_;
  const task::PromptContract& contract_;
  std::vector<task::Example> examples_;
  std::vector<std::vector<text::TokenId>> prompts_;
  std::vector<std::size_t> asked_;  ///< the example of each prompt
  std::int64_t max_new_tokens_;
  std::function<void()> poll_;
  std::unique_ptr<PolicyEngine> engine_;
};

/// Lets `trainer` validate with `validator`, which is borrowed, when `selection` says so: not at all where there is
/// nothing to answer. Throws std::invalid_argument for a selection that could not be made then.
void validate_with(Trainer& trainer, Validator& validator, const EpochBatches& batches,
                   const ModelSelection& selection);

/// The same once, as a function.
double exact_match_share(DecoderModule& decoder, const text::Tokenizer& tokenizer, const task::PromptContract& contract,
                         const std::vector<task::Example>& examples, std::int64_t max_new_tokens = 96);

}  // namespace retort::train
