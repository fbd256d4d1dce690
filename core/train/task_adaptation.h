// Teaches a pretrained model the task's special tokens: a longer vocabulary, and rows of the embedding to begin with.
// Internal to core/train.
#pragma once

#include "train/model_weights.h"

namespace retort::train {

/// The model in `folder`, which knows no task yet, with the special tokens of `contract` behind its own. The row of a
/// new token is the mean of its name's pieces ("<|call:PlayMusic|>" begins as " PlayMusic" does), in the embedding and
/// in an untied head; padding rows that the embedding has are used first. Its end token becomes the contract's. Throws
/// as Tokenizer and ModelFolder do.
/// `prompt_attention`: as set_prompt_attention() takes it.
CallModule adapt_to_task(const model::ModelFolder& folder, task::PromptContract contract,
                         const std::string& prompt_attention = "causal");

}  // namespace retort::train
