// What each token of a prompt is in the call that answers it: an argument, or nothing. A second thing for a model to
// learn from the same rows, as joint models of intents and slots do. No LibTorch.
#pragma once

#include <vector>

#include "train/sequences.h"

namespace retort::train {

/// [prompt's tokens]: under each token of a value that a call's argument takes from the prompt that argument's token,
/// under the first token of the prompt the first call's, under the last nothing (−1; it begins the answer), and under
/// all others `none`, the token of an answer without calls. A value is looked for behind the one before it, then from
/// the beginning; one that is not said word by word has no place. For responses in functional tokens
/// (task/prompt_contract.h). Sequence labelling beside the answer as in joint intent detection and slot filling (Chen
/// et al. 2019, arXiv 1902.10909, eq. 2), but from the calls alone, and in the vocabulary that the model has.
std::vector<text::TokenId> prompt_tags(const Sequence& sequence, const text::Tokenizer& tokenizer, text::TokenId none);

}  // namespace retort::train
