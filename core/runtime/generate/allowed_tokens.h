// The tokens of a mask, and how likely they are together.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>

#include "grammar/grammar.h"

namespace retort::runtime {

/// Calls `function(token)` for every allowed token below `rows`, in ascending order.
template <class Function>
void for_each_allowed(const grammar::TokenMask& allowed, std::size_t rows, const Function& function) {
  for (const text::TokenId token : allowed.few)
    if (static_cast<std::size_t>(token) < rows) function(static_cast<std::size_t>(token));
  for (std::size_t word = 0; word < allowed.bits.size(); ++word)
    for (std::uint64_t rest = allowed.bits[word]; rest != 0; rest &= rest - 1) {
      const std::size_t token = word * 64 + static_cast<std::size_t>(std::countr_zero(rest));
      if (token < rows) function(token);
    }
}

/// The natural logarithm of the probability, by softmax(logits [V]), that the next token is an allowed one: the signal
/// that a model is outside of its training. NaN logits are impossible.
double allowed_log_mass(std::span<const float> logits, const grammar::TokenMask& allowed);

}  // namespace retort::runtime
