// The texts of JSON numbers within bounds, as automata over their characters.
#pragma once

#include <optional>

#include "grammar/character_automaton.h"
#include "schema/schema_document.h"

namespace retort::grammar {

struct NumberBounds {
  std::optional<schema::Json> least, most;
  bool least_exclusive = false, most_exclusive = false;
  std::vector<schema::Json> multiples_of;  ///< integers only
};

/// Digits without a leading zero, a fraction, an exponent or -0; whatever the bounds, within 64 bits (signed, unless
/// a bound lies above).
CharacterAutomaton integer_texts(const NumberBounds& bounds);

/// Integers as above and decimal fractions. Without bounds also exponents, of two digits or, behind one digit, below
/// 308. With bounds no exponent: a departure from JSON, as every value has a text without one. Fractions have at most
/// 24 digits, and with an exclusive bound so few that a double tells the text from the bound.
CharacterAutomaton number_texts(const NumberBounds& bounds);

}  // namespace retort::grammar
