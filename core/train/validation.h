// Exact match of greedy answers on held-out utterances while training. Internal to core/train.
#pragma once

#include <filesystem>
#include <vector>

#include "task/dataset.h"
#include "train/model_weights.h"

namespace retort::train {

/// The first `limit` labelled examples of `dataset`/validation.jsonl; empty if there is no such file or limit is 0.
/// Throws std::runtime_error where more than max_rejected_share of its rows are no chat rows.
std::vector<task::Example> validation_examples(const std::filesystem::path& dataset, std::int64_t limit,
                                               double max_rejected_share = 0.01);

/// Share in [0,1] of the examples whose greedy answer is exactly the expected calls. A prompt that leaves the model no
/// room for an answer, or that its form cannot show, counts as one that it got wrong.
double exact_match_share(DecoderModule& decoder, const text::Tokenizer& tokenizer, const task::PromptContract& contract,
                         const std::vector<task::Example>& examples, std::int64_t max_new_tokens = 96);

}  // namespace retort::train
