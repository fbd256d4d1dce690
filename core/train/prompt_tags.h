// Tags of prompts (task/prompt_tags.h) as a second thing for a model to learn from the same rows, as joint models of
// intents and slots do. No LibTorch.
#pragma once

#include <vector>

#include "task/prompt_contract.h"
#include "train/sequences.h"

namespace retort::train {

/// Gives every sequence its task::prompt_tags() as labels of this weight; with 0 nothing. Throws std::invalid_argument
/// for calls that are not in functional tokens.
void add_prompt_tags(std::vector<Sequence>& sequences, const task::PromptContract& contract,
                     const text::Tokenizer& tokenizer, double weight);

}  // namespace retort::train
