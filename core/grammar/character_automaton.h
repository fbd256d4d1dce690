// Deterministic automata over characters (code points): what a string, a key or a number may be. Bytes, escapes and
// quotes are byte_automaton.h's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "schema/regular_expression.h"
#include "schema/schema_document.h"

namespace retort::grammar {

/// Every state leads to an accepting one: a text that was begun can be ended. Immutable once finished().
struct CharacterAutomaton {
  static constexpr std::int32_t dead = -1;

  std::vector<std::uint32_t> starts;     ///< first character of each interval, ascending from 0
  std::vector<std::int32_t> class_of;    ///< [starts.size()]; `dead` for what is no character (surrogates)
  std::int32_t classes = 0;              ///< K
  std::vector<std::int32_t> next;        ///< [S,K]: state, or `dead`
  std::vector<std::uint8_t> accepts;     ///< [S]; state 0 is the start; S = 0: no text at all
  std::vector<std::int64_t> least_left;  ///< [S] characters to the nearest accepting state
  std::vector<std::int64_t> most_left;   ///< [S] to the farthest; schema::unlimited where there is a way round
  std::vector<std::uint8_t> free;        ///< [S]: accepts whatever follows
  std::vector<std::int32_t> ascii;       ///< [128]: class_of of each such character

  std::size_t states() const { return accepts.size(); }
  bool empty() const { return accepts.empty(); }
  std::int32_t step(std::int32_t state, std::uint32_t character) const;
  /// The first interval that has characters of [first, last], and the one behind the last.
  std::pair<std::size_t, std::size_t> intervals(std::uint32_t first, std::uint32_t last) const;
  bool contains(const std::string& text) const;  ///< of valid UTF-8
};

/// All texts of characters.
CharacterAutomaton every_text();
CharacterAutomaton from_texts(const std::vector<std::string>& texts);
/// The texts in which the expression has a match. Throws std::invalid_argument for what needs backtracking, and for an
/// automaton with too many states.
CharacterAutomaton from_expression(const schema::Expression& expression);
CharacterAutomaton from_pattern(const std::string& pattern);

CharacterAutomaton intersection(const CharacterAutomaton& a, const CharacterAutomaton& b);
CharacterAutomaton united(const CharacterAutomaton& a, const CharacterAutomaton& b);
CharacterAutomaton complement(const CharacterAutomaton& a);

/// A text's automaton and how many characters it may have besides.
struct CountedText {
  CharacterAutomaton automaton;
  schema::Counts length;
};
/// Such that counting alone decides: whenever least_left and most_left of a state leave room within the counts, there
/// is a text of such a length. Where that does not hold of `a`, states are multiplied by lengths. Throws
/// std::invalid_argument where these are too many.
CountedText counted(CharacterAutomaton a, schema::Counts length);

/// Completes `automaton` (starts, class_of, next, accepts): cuts states that lead nowhere, joins equal ones, measures.
CharacterAutomaton finished(CharacterAutomaton automaton);

inline constexpr std::size_t most_automaton_states = 20000;

}  // namespace retort::grammar
