#include "train/prompt_tags.h"

#include <algorithm>

namespace retort::train {
namespace {

using Tokens = std::vector<text::TokenId>;

/// A run of ordinary tokens behind a special one, which is an argument's, or <|next|> behind it.
struct Value {
  text::TokenId argument;
  Tokens tokens;
};

std::vector<Value> values_of(const Tokens& response, const text::Tokenizer& tokenizer) {
  std::vector<Value> values;
  text::TokenId argument = -1;
  for (std::size_t i = 0; i < response.size(); ++i) {
    if (tokenizer.is_special(response[i])) {
      if (tokenizer.token(response[i]) != "<|next|>") argument = response[i];
      continue;
    }
    const bool begins = i == 0 || tokenizer.is_special(response[i - 1]);
    if (begins) values.push_back({argument, {}});
    values.back().tokens.push_back(response[i]);
  }
  return values;
}

/// Where `value` stands in `prompt` under positions that are still `none`, from `from` on; the prompt's length:
/// nowhere.
std::size_t place_of(const Tokens& value, const Tokens& prompt, const Tokens& tags, text::TokenId none,
                     std::size_t from) {
  for (std::size_t at = from; at + value.size() <= prompt.size(); ++at) {
    const auto begin = static_cast<std::ptrdiff_t>(at), end = static_cast<std::ptrdiff_t>(at + value.size());
    if (std::equal(value.begin(), value.end(), prompt.begin() + begin) &&
        std::all_of(tags.begin() + begin, tags.begin() + end, [&](text::TokenId tag) { return tag == none; }))
      return at;
  }
  return prompt.size();
}

}  // namespace

std::vector<text::TokenId> prompt_tags(const Sequence& sequence, const text::Tokenizer& tokenizer, text::TokenId none) {
  const Tokens& prompt = sequence.prompt;
  Tokens tags(prompt.size(), none);
  std::size_t from = 0;
  for (const Value& value : values_of(sequence.response, tokenizer)) {
    std::size_t at = place_of(value.tokens, prompt, tags, none, from);
    if (at == prompt.size()) at = place_of(value.tokens, prompt, tags, none, 0);
    if (at == prompt.size()) continue;
    from = at + value.tokens.size();
    std::fill(tags.begin() + static_cast<std::ptrdiff_t>(at), tags.begin() + static_cast<std::ptrdiff_t>(from),
              value.argument);
  }
  if (tags.empty()) return tags;
  if (!sequence.response.empty()) tags.front() = sequence.response.front();
  tags.back() = -1;
  return tags;
}

}  // namespace retort::train
