// What was said, as the texts that a value may copy.
#pragma once

#include <string>
#include <vector>

#include "grammar/character_automaton.h"

namespace retort::grammar {

/// The parts of `texts` that begin and end at a word's bounds, and a letter in either case (Latin, Greek and Cyrillic
/// letters of the basic plane): what stands as "Kitchen" may be written "kitchen". Empty texts have no parts.
CharacterAutomaton said_texts(const std::vector<std::string>& texts);

}  // namespace retort::grammar
