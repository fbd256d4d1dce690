// What holds of a text's automaton whatever the state of a reader: found once, when a mask first needs it.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "grammar/character_automaton.h"

namespace retort::grammar {

/// Immutable.
struct TextFacts {
  explicit TextFacts(const CharacterAutomaton& automaton);

  /// [byte] Where a character begins, bytes of one group lead to the same place; dead_group: nowhere.
  static constexpr std::int32_t dead_group = -1;
  std::array<std::int32_t, 256> groups;
  std::array<std::uint8_t, 256> same_group;  ///< [byte] another one of its group, round and round
  /// [S]: any number of plain characters may follow (no control character, quote, backslash, line or paragraph
  /// separator), and leads to a state of the same kind.
  std::vector<std::uint8_t> free;
  std::uint32_t most_left_to_end = 0;  ///< characters that such a state may still need to end
};

}  // namespace retort::grammar
