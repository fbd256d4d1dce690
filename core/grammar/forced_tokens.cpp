// Tokens that must come, as the tokenizer writes them (constrained decoding's "fast-forward", llguidance docs).
#include <algorithm>

#include "grammar/grammar.h"

namespace retort::grammar {
namespace {

constexpr std::size_t most_forced_bytes = 512;
constexpr std::size_t look_back_bytes = 7;
constexpr std::size_t context_tokens = 4;
constexpr std::size_t most_kept_runs = 4096;

/// Where the tokens begin that stand before a run: the last ones, back to one without bytes.
std::size_t context_begin(const std::vector<TokenId>& tokens, const Vocabulary& vocabulary) {
  std::size_t first = tokens.size();
  while (first > 0 && tokens.size() - first < context_tokens && !vocabulary.bytes(tokens[first - 1]).empty()) --first;
  return first;
}

}  // namespace

/// Whether some token that begins with `tail` and goes on beyond it fits behind `state`, which has read `tail`.
bool Grammar::continues(StateId state, std::string_view tail) {
  const auto& nodes = vocabulary_->all().nodes();
  std::size_t at = 0, end = nodes.size();
  for (const char byte : tail) {
    while (at < end && nodes[at].byte() != static_cast<std::uint8_t>(byte)) at += nodes[at].size();
    if (at >= end) return false;
    end = at + nodes[at].size();
    ++at;
  }
  // [at, end) are the nodes below `tail`.
  std::vector<StateId> path(257, no_state);
  path[tail.size()] = state;
  while (at < end) {
    const TokenTrie::Node node = nodes[at];
    const StateId next = automaton_->step(path[node.depth() - 1], node.byte());
    if (next == no_state) {
      at += node.size();
      continue;
    }
    met_said_ = met_said_ || automaton_->in_said(next);
    if (node.token() >= 0) return true;
    path[node.depth()] = next;
    ++at;
  }
  return false;
}

std::vector<TokenId> Grammar::forced(const GrammarState& from, const text::Tokenizer& tokenizer) {
  const StateId state = state_of(from);
  if (state == no_state || from.ended || automaton_->forced(state).kind == Forced::Kind::nothing) return {};
  const std::size_t first = context_begin(from.tokens, *vocabulary_);
  std::pair key(state, std::vector(from.tokens.begin() + static_cast<std::ptrdiff_t>(first), from.tokens.end()));
  if (const auto known = forced_.find(key); known != forced_.end()) return known->second;
  met_said_ = false;
  std::vector<TokenId> found = find_forced(state, key.second, tokenizer);
  if (met_said_) return found;
  if (forced_.size() >= most_kept_runs) forced_.clear();
  return forced_.emplace(std::move(key), std::move(found)).first->second;
}

std::vector<TokenId> Grammar::find_forced(StateId state, std::vector<TokenId> context,
                                          const text::Tokenizer& tokenizer) {
  std::vector<TokenId> result;
  for (;;) {
    std::string bytes;
    StateId at = state;
    met_said_ = met_said_ || automaton_->in_said(at);
    Forced next = automaton_->forced(at);
    while (next.kind == Forced::Kind::byte && bytes.size() < most_forced_bytes) {
      bytes += static_cast<char>(next.byte);
      at = automaton_->step(at, next.byte);
      met_said_ = met_said_ || automaton_->in_said(at);
      next = automaton_->forced(at);
    }
    if (!bytes.empty()) {
      const std::size_t first = context_begin(context, *vocabulary_);
      const std::size_t known = context.size() - first;
      std::string text;
      for (std::size_t i = first; i < context.size(); ++i) text += vocabulary_->bytes(context[i]);
      std::vector<TokenId> tokens = tokenizer.encode(text + bytes);
      const bool same_begin =
          tokens.size() >= known && std::equal(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(known),
                                               context.begin() + static_cast<std::ptrdiff_t>(first));
      std::string written;
      for (const TokenId token : tokens) written += vocabulary_->bytes(token);
      if (!same_begin || written != text + bytes) return result;
      const bool token_follows = next.kind == Forced::Kind::token || next.kind == Forced::Kind::end;
      if (!token_follows) {
        // A longer token may begin anywhere in the last ones: what tokenisers merge first depends on what follows.
        std::size_t kept = tokens.size(), begin = written.size();
        for (std::size_t back = 1; back <= look_back_bytes && back <= bytes.size(); ++back) {
          const std::size_t place = written.size() - back;
          if (!continues(at, std::string_view(written).substr(place))) continue;
          while (kept > known && begin > place) begin -= vocabulary_->bytes(tokens[--kept]).size();
        }
        tokens.resize(kept);
      }
      for (std::size_t i = known; i < tokens.size(); ++i) {
        result.push_back(tokens[i]);
        context.push_back(tokens[i]);
      }
      if (!token_follows) return result;
    }
    if (next.kind != Forced::Kind::token && next.kind != Forced::Kind::end) return result;
    result.push_back(next.token);
    context.push_back(next.token);
    if (next.kind == Forced::Kind::end) return result;
    state = automaton_->step_token(at, next.token);
    if (state == no_state) return result;
  }
}

}  // namespace retort::grammar
