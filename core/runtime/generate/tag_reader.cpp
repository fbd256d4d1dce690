// See tag_reader.h.
#include "runtime/generate/tag_reader.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "task/prompt_tags.h"

namespace retort::runtime {
namespace {

using text::TokenId;

/// ln of the softmax of `row` [V] over `choices`, in their order.
std::vector<double> log_shares(std::span<const float> row, const std::vector<TokenId>& choices) {
  std::vector<double> shares;
  for (const TokenId choice : choices) shares.push_back(row[static_cast<std::size_t>(choice)]);
  const double highest = *std::max_element(shares.begin(), shares.end());
  double sum = 0;
  for (const double share : shares) sum += std::exp(share - highest);
  for (double& share : shares) share -= highest + std::log(sum);
  return shares;
}

/// Whether a token's bytes go on with a word: a letter, a digit or part of one, of a script that puts spaces between
/// its words. From U+2000 on stand punctuation and scripts that do not.
bool goes_on(const std::string& bytes) {
  if (bytes.empty()) return false;
  const auto first = static_cast<unsigned char>(bytes[0]);
  const bool letter =
      (first >= '0' && first <= '9') || (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z');
  return letter || (first >= 0x80 && first < 0xE2);
}

}  // namespace

TagReader::TagReader(const task::CallEnvelope& envelope, const text::Tokenizer& tokenizer) : tokenizer_(tokenizer) {
  if (envelope.no_call.empty() || envelope.next_item < 0 || envelope.ends.empty())
    throw std::invalid_argument("tag_weight: expected 0 for a form whose arguments have no tokens of their own");
  none_ = envelope.no_call.front().token;
  next_ = envelope.next_item;
  end_ = envelope.ends.front();
  conjunction_ = envelope.conjunction;
  for (const task::ToolEnvelope& tool : envelope.tools) {
    Tokens& choices = choices_[tool.before.front().token];
    choices.push_back(none_);
    for (const task::ArgumentEnvelope& argument : tool.arguments) choices.push_back(argument.token);
  }
}

const TagReader::Tokens* TagReader::choices(TokenId call) const {
  const auto found = choices_.find(call);
  return found == choices_.end() ? nullptr : &found->second;
}

std::size_t TagReader::word_end(std::span<const TokenId> prompt, std::size_t begin) const {
  std::size_t end = begin + 1;
  while (end + 1 < prompt.size() && !tokenizer_.is_special(prompt[end]) && goes_on(tokenizer_.token_bytes(prompt[end])))
    ++end;
  return end;
}

std::optional<std::vector<TokenId>> TagReader::response(std::span<const TokenId> prompt, std::span<const float> logits,
                                                        TokenId call) const {
  const Tokens* among = choices(call);
  if (among == nullptr || prompt.size() < 2) return std::nullopt;
  const std::size_t vocabulary = logits.size() / prompt.size();
  Tokens tags(prompt.size(), none_);
  for (std::size_t begin = 1; begin + 1 < prompt.size();) {
    if (tokenizer_.is_special(prompt[begin])) {
      ++begin;
      continue;
    }
    const std::size_t end = word_end(prompt, begin);
    std::vector<double> sums(among->size());
    for (std::size_t t = begin; t < end; ++t) {
      const std::vector<double> shares = log_shares(logits.subspan(t * vocabulary, vocabulary), *among);
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += shares[i];
    }
    const auto likeliest = std::max_element(sums.begin(), sums.end()) - sums.begin();
    for (; begin < end; ++begin) tags[begin] = (*among)[static_cast<std::size_t>(likeliest)];
  }
  return task::tagged_response(prompt, tags, call, none_, next_, end_);
}

std::optional<double> TagReader::log_probability(std::span<const TokenId> prompt, std::span<const float> logits,
                                                 std::span<const TokenId> response) const {
  const auto begins_call = [&](TokenId token) { return choices_.contains(token); };
  if (response.empty() || !begins_call(response[0])) return std::nullopt;
  if (std::any_of(response.begin() + 1, response.end(), begins_call)) return std::nullopt;
  const Tokens& among = choices_.at(response[0]);
  const std::size_t vocabulary = logits.size() / prompt.size();
  const Tokens tags = task::prompt_tags(prompt, response, tokenizer_, none_, conjunction_);
  double sum = 0;
  for (std::size_t t = 1; t + 1 < prompt.size(); ++t) {
    if (tokenizer_.is_special(prompt[t])) continue;
    const auto found = std::find(among.begin(), among.end(), tags[t]);
    if (found == among.end()) return std::nullopt;
    sum +=
        log_shares(logits.subspan(t * vocabulary, vocabulary), among)[static_cast<std::size_t>(found - among.begin())];
  }
  return sum;
}

}  // namespace retort::runtime
