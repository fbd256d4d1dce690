// A tokenizer with fewer tokens: what is kept is renumbered without gaps. Texts whose tokens are all kept are tokenised
// as before, because the merges that lead to a kept token are kept with it.
#pragma once

#include <vector>

#include "text/tokenizer.h"

namespace retort::text {

/// What no cut may drop, ascending: added tokens (special ones among them), the token that begins a text, the unknown
/// token, and every token that stands for a single byte, so that any text can still be written.
std::vector<TokenId> required_tokens(const Tokenizer& tokenizer);

/// `kept` with both parts of every merge that makes one of them, and the parts of those, ascending.
std::vector<TokenId> closed_under_merges(const Tokenizer& tokenizer, const std::vector<TokenId>& kept);

/// The tokenizer of `kept` alone, which must ascend and be closed: the i-th of them gets id i. Ids in the
/// post-processor and the padding follow. Throws std::invalid_argument for an id out of range.
Tokenizer cut_vocabulary(const Tokenizer& tokenizer, const std::vector<TokenId>& kept);

}  // namespace retort::text
