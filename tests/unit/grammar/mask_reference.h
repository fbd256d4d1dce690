// Masks the slow way.
#pragma once

#include <string_view>
#include <vector>

#include "grammar/grammar.h"

namespace retort::grammar {

/// The tokens that may come, each tried byte by byte.
inline std::vector<TokenId> ref_allowed(ByteAutomaton& automaton, StateId from, const Vocabulary& vocabulary) {
  std::vector<TokenId> allowed;
  for (TokenId token = 0; token < static_cast<TokenId>(vocabulary.size()); ++token) {
    const std::string_view bytes = vocabulary.bytes(token);
    StateId state = bytes.empty() ? automaton.step_token(from, token) : from;
    for (std::size_t i = 0; i < bytes.size() && state != no_state; ++i)
      state = automaton.step(state, static_cast<std::uint8_t>(bytes[i]));
    if (state != no_state) allowed.push_back(token);
  }
  return allowed;
}

inline std::vector<TokenId> listed(const TokenMask& mask, std::int64_t size) {
  if (mask.bits.empty()) return mask.few;
  std::vector<TokenId> tokens;
  for (TokenId token = 0; token < size; ++token)
    if (mask.allows(token)) tokens.push_back(token);
  return tokens;
}

}  // namespace retort::grammar
