// What a model that was taught tags (task/prompt_tags.h) says under the tokens of a prompt, read as an answer: the
// other way to one beside writing it token by token. Immutable; any thread.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "task/call_envelope.h"
#include "text/tokenizer.h"

namespace retort::runtime {

class TagReader {
 public:
  /// Throws std::invalid_argument where the envelope's arguments have no tokens of their own.
  TagReader(const task::CallEnvelope& envelope, const text::Tokenizer& tokenizer);

  /// The response of one call of the tool that `call` begins. Each word of the prompt [T tokens] is taken by the
  /// argument of that tool, or by none, whose token is likeliest under the word's tokens together; `logits` [T,V] stand
  /// under the prompt's tokens. std::nullopt: `call` begins no call.
  std::optional<std::vector<text::TokenId>> response(std::span<const text::TokenId> prompt,
                                                     std::span<const float> logits, text::TokenId call) const;
  /// The natural logarithm of the probability of the tags of `response`, one call, under the prompt's tokens: among the
  /// arguments of its tool, and none. std::nullopt: not one call of a known tool.
  std::optional<double> log_probability(std::span<const text::TokenId> prompt, std::span<const float> logits,
                                        std::span<const text::TokenId> response) const;

 private:
  using Tokens = std::vector<text::TokenId>;
  const Tokens* choices(text::TokenId call) const;
  std::size_t word_end(std::span<const text::TokenId> prompt, std::size_t begin) const;

  const text::Tokenizer& tokenizer_;
  std::map<text::TokenId, Tokens> choices_;  // by the token of a call: none and its arguments'
  text::TokenId none_ = -1, next_ = -1, end_ = -1;
  std::string conjunction_;
};

}  // namespace retort::runtime
