// Tags: what each token of a prompt is in the call that answers it, an argument or nothing. Of an answer, and an answer
// of them. For responses in functional tokens (prompt_contract.h).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace retort::task {

/// [prompt's tokens]: under each token of a value that a call's argument takes from the prompt that argument's token,
/// under the first token of the prompt the first call's, under the last nothing (−1; it begins the answer), and under
/// all others `none`, the token of an answer without calls. A value is looked for behind the one before it, then from
/// the beginning; one that is not said word by word has no place, but where it is a spoken list (spoken_list.h; with
/// `conjunction` "" there are none) each of its items has one. Sequence labelling beside the answer as in joint
/// intent detection and slot filling (Chen et al. 2019, arXiv 1902.10909, eq. 2), but from the calls alone, and in the
/// vocabulary that the model has.
std::vector<text::TokenId> prompt_tags(std::span<const text::TokenId> prompt, std::span<const text::TokenId> response,
                                       const text::Tokenizer& tokenizer, text::TokenId none,
                                       const std::string& conjunction);

/// The tokens of a response of one call, that `call` begins: its arguments in the order in which `tags` [prompt's
/// tokens] first name them, each with the prompt's tokens under its tag. Where these are several runs, `next` begins
/// each. Tags that are `none` or −1 name nothing.
std::vector<text::TokenId> tagged_response(std::span<const text::TokenId> prompt, std::span<const text::TokenId> tags,
                                           text::TokenId call, text::TokenId none, text::TokenId next,
                                           text::TokenId end);

}  // namespace retort::task
