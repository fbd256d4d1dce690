#include "task/prompt_tags.h"

#include <algorithm>
#include <utility>

#include "task/spoken_list.h"

namespace retort::task {
namespace {

using Tokens = std::vector<text::TokenId>;

/// A run of ordinary tokens behind a special one, which is an argument's, or <|next|> behind it.
struct Value {
  text::TokenId argument;
  Tokens tokens;
};

std::vector<Value> values_of(std::span<const text::TokenId> response, const text::Tokenizer& tokenizer) {
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
std::size_t place_of(const Tokens& value, std::span<const text::TokenId> prompt, const Tokens& tags, text::TokenId none,
                     std::size_t from) {
  for (std::size_t at = from; at + value.size() <= prompt.size(); ++at) {
    const auto begin = static_cast<std::ptrdiff_t>(at), end = static_cast<std::ptrdiff_t>(at + value.size());
    if (std::equal(value.begin(), value.end(), prompt.begin() + begin) &&
        std::all_of(tags.begin() + begin, tags.begin() + end, [&](text::TokenId tag) { return tag == none; }))
      return at;
  }
  return prompt.size();
}

/// Tags of a prompt as its values find their places.
class Places {
 public:
  Places(std::span<const text::TokenId> prompt, text::TokenId none)
      : prompt_(prompt), none_(none), tags_(prompt.size(), none) {}

  bool put(const Tokens& value, text::TokenId argument) {
    std::size_t at = place_of(value, prompt_, tags_, none_, from_);
    if (at == prompt_.size()) at = place_of(value, prompt_, tags_, none_, 0);
    if (at == prompt_.size()) return false;
    from_ = at + value.size();
    std::fill(tags_.begin() + static_cast<std::ptrdiff_t>(at), tags_.begin() + static_cast<std::ptrdiff_t>(from_),
              argument);
    return true;
  }
  Tokens take() { return std::move(tags_); }

 private:
  std::span<const text::TokenId> prompt_;
  text::TokenId none_;
  Tokens tags_;
  std::size_t from_ = 0;
};

}  // namespace

std::vector<text::TokenId> prompt_tags(std::span<const text::TokenId> prompt, std::span<const text::TokenId> response,
                                       const text::Tokenizer& tokenizer, text::TokenId none,
                                       const std::string& conjunction) {
  Places places(prompt, none);
  for (const Value& value : values_of(response, tokenizer)) {
    if (places.put(value.tokens, value.argument) || conjunction.empty()) continue;
    const std::string text = tokenizer.decode(value.tokens);
    if (!text.starts_with(' ')) continue;
    for (const std::string& item : split_spoken_list(text.substr(1), conjunction))
      places.put(tokenizer.encode(" " + item), value.argument);
  }
  Tokens tags = places.take();
  if (tags.empty()) return tags;
  if (!response.empty()) tags.front() = response.front();
  tags.back() = -1;
  return tags;
}

std::vector<text::TokenId> tagged_response(std::span<const text::TokenId> prompt, std::span<const text::TokenId> tags,
                                           text::TokenId call, text::TokenId none, text::TokenId next,
                                           text::TokenId end) {
  struct Said {
    text::TokenId argument;
    std::vector<Tokens> runs;
  };
  std::vector<Said> said;
  for (std::size_t t = 1; t + 1 < prompt.size(); ++t) {
    if (tags[t] == none || tags[t] < 0) continue;
    auto found = std::find_if(said.begin(), said.end(), [&](const Said& one) { return one.argument == tags[t]; });
    if (found == said.end()) found = said.insert(said.end(), {tags[t], {}});
    if (found->runs.empty() || tags[t - 1] != tags[t]) found->runs.emplace_back();
    found->runs.back().push_back(prompt[t]);
  }
  Tokens response = {call};
  for (const Said& one : said) {
    response.push_back(one.argument);
    for (const Tokens& run : one.runs) {
      if (one.runs.size() > 1) response.push_back(next);
      response.insert(response.end(), run.begin(), run.end());
    }
  }
  response.push_back(end);
  return response;
}

}  // namespace retort::task
