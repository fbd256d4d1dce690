// Tokens that must come, as the tokenizer writes them (constrained decoding's "fast-forward", llguidance docs).
#include <algorithm>

#include "grammar/grammar.h"

namespace retort::grammar {
namespace {

constexpr std::size_t most_forced_bytes = 512;
constexpr std::size_t look_back_bytes = 7;
constexpr std::size_t context_tokens = 4;

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
    if (node.token() >= 0) return true;
    path[node.depth()] = next;
    ++at;
  }
  return false;
}

std::vector<TokenId> Grammar::forced(const GrammarState& from, const text::Tokenizer& tokenizer) {
  std::vector<TokenId> result;
  StateId state = state_of(from);
  if (state == no_state || from.ended) return result;
  std::vector<TokenId> context(from.tokens);
  for (;;) {
    std::string bytes;
    StateId at = state;
    Forced next = automaton_->forced(at);
    while (next.kind == Forced::Kind::byte && bytes.size() < most_forced_bytes) {
      bytes += static_cast<char>(next.byte);
      at = automaton_->step(at, next.byte);
      next = automaton_->forced(at);
    }
    if (!bytes.empty()) {
      // What stands before, back to the last token without bytes.
      std::size_t first = context.size();
      while (first > 0 && context.size() - first < context_tokens && !vocabulary_->bytes(context[first - 1]).empty())
        --first;
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
