// Where the readers of a text stand: the states of byte_automaton.h are sets of these.
#pragma once

#include <compare>
#include <cstdint>

#include "grammar/program.h"

namespace retort::grammar {

using StateId = std::int32_t;
inline constexpr StateId no_state = -1;  ///< nothing may follow: the text is not in the grammar

/// One reader of the text so far.
struct Configuration {
  Address place = 0;
  std::int32_t a = 0;   ///< text: state of its automaton; lists: items read; objects: members read (set or next)
  std::uint32_t b = 0;  ///< inside a literal, a character or an escape: how far
  std::uint32_t needed = 0, left = UINT32_MAX;  ///< characters, items or members that must, and may, still come
  std::int32_t stack = 0;
  auto operator<=>(const Configuration&) const = default;
};

/// Where a walk over bytes stands: at a state, or, with state == inside_said, in a text of what was said, which is read
/// without a state for every character.
struct Reader {
  StateId state = no_state;
  Configuration text;
};
inline constexpr StateId inside_said = -3;

/// What must come next, where only one thing can.
struct Forced {
  enum class Kind : std::uint8_t { nothing, byte, token, end } kind = Kind::nothing;
  std::uint8_t byte = 0;
  TokenId token = -1;
};

}  // namespace retort::grammar
