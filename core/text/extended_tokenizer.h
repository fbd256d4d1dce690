// A tokenizer with more special tokens than it came with: what a pretrained one needs before it can write calls.
#pragma once

#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace retort::text {

/// `tokenizer` with every one of `tokens` that it lacks as an added special token, in order, behind its last id. Ids
/// that exist keep their meaning. Throws std::invalid_argument when a token stands in the vocabulary but is not
/// special: text could then forge it.
Tokenizer with_special_tokens(const Tokenizer& tokenizer, const std::vector<std::string>& tokens);

}  // namespace retort::text
