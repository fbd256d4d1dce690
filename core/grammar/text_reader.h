// Internal to core/grammar: one byte of a text, decoded (UTF-8, escapes of JSON) and given to its automaton.
#pragma once

#include "grammar/byte_automaton.h"
#include "grammar/said_parts.h"

namespace retort::grammar {

enum class TextStep : std::uint8_t { dead, inside, ended };

/// Reads `byte` in place, where `configuration` stands in `text` (const CountedText or SaidParts): a, b, needed and
/// left change. `ended`: it was the closing quote. Never begins what cannot be ended: a character, an escape or a text.
template <class Text>
TextStep read_text(Text& text, Writing writing, std::uint8_t byte, Configuration& configuration);

/// One character of a class of the text's automaton, written as it is.
bool read_character(const CountedText& text, std::int32_t character_class, Configuration& configuration);

/// Whether bytes of a character (UTF-8) were read, but not all.
bool inside_character(const Configuration& configuration);
/// There: whether all bytes that may come lead to the same place.
bool alike_continuations(const CountedText& text, const Configuration& configuration);

/// Whether the text may end where `configuration` stands.
bool may_end(const CountedText& text, const Configuration& configuration);
bool may_end(const SaidParts& text, const Configuration& configuration);

/// A text's first configuration fields.
void begin_text(const CountedText& text, Configuration& configuration);

}  // namespace retort::grammar
