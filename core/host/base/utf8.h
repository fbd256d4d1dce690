// UTF-8 as input that may be broken: replacement of invalid sequences and incomplete ends. No Unicode properties.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace retort::host {

/// Bytes of the valid character that `text` begins with, or 0 if it begins with none.
std::size_t character_length(std::string_view text);

/// `text` with each maximal invalid part (Unicode 3.9, "substitution of maximal subparts") as U+FFFD.
std::string replace_invalid_utf8(std::string_view text);

/// Bytes at the end of `text` (at most 3) that begin a character which more bytes could complete.
std::size_t incomplete_end(std::string_view text);

/// Appends the UTF-8 form of a code point below U+0800.
void append_two_byte_character(std::string& text, unsigned code_point);

/// Empty for UTF-8; else "expected UTF-8, found the byte 0xff at byte 1; …" with what the encoding may be. For
/// messages.
std::string utf8_problem(std::string_view text);

}  // namespace retort::host
