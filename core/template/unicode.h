// Texts as Python sees them: sequences of code points. White space, case and printability by Unicode's properties.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace retort::jinja {

// All texts are valid UTF-8.

std::size_t character_count(std::string_view text);
std::vector<std::string_view> characters(std::string_view text);
char32_t code_point(std::string_view character);  ///< of one character
void append_character(std::string& text, char32_t code_point);

bool is_white_space(std::string_view character);  ///< str.isspace() of one character
bool is_printable(char32_t code_point);           ///< str.isprintable() of one character
bool is_letter(char32_t code_point);              ///< str.isalpha()
bool is_digit(char32_t code_point);               ///< str.isdecimal()
bool is_other_number(char32_t code_point);        ///< superscripts, fractions, Roman numerals, …
bool is_upper(char32_t code_point);
bool is_lower(char32_t code_point);

/// Full case mappings of what stands in SpecialCasing.txt without conditions and outside polytonic Greek and Armenian,
/// simple ones elsewhere, and the final sigma. Throw std::invalid_argument for a character that is left out.
std::string upper(std::string_view text);
std::string lower(std::string_view text);
std::string capitalize(std::string_view text);  ///< str.capitalize()
std::string title(std::string_view text);       ///< str.title()

/// str.splitlines()
std::vector<std::string_view> lines(std::string_view text);

enum class Side { left, right, both };
/// str.strip(), lstrip(), rstrip() of white space, and of any of the characters in `set`.
std::string_view strip(std::string_view text, Side side);
std::string_view strip(std::string_view text, Side side, std::string_view set);

}  // namespace retort::jinja
