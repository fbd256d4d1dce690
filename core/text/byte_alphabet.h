// GPT-2's byte-level alphabet: each of the 256 bytes as one printable character, so that a vocabulary is text.
// Radford et al. 2019, encoder.py: printable Latin-1 bytes stand for themselves, the others for U+0100 onwards.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace retort::text {

/// The character (UTF-8) that stands for `byte`.
const std::string& alphabet_character(unsigned char byte);

/// The bytes as characters of the alphabet.
std::string to_alphabet(std::string_view bytes);

/// The bytes that `text` stands for, or nothing if it has a character outside the alphabet.
std::optional<std::string> from_alphabet(std::string_view text);

}  // namespace retort::text
