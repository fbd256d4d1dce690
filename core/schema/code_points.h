// Named sets of code points: the classes and properties of ECMA-262's expressions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "schema/regular_expression.h"

namespace retort::schema {

CodePointSet digits();             ///< \d
CodePointSet word_characters();    ///< \w
CodePointSet white_space();        ///< \s
CodePointSet any_but_line_ends();  ///< .

/// What \p{…} stands for: a general category ("L", "Letter"), a binary property or "Script=…"; nothing if unknown.
/// The tables are PCRE2's. Kept after the first time; any thread.
std::optional<CodePointSet> unicode_property(const std::string& name);

/// Characters (code points) in valid UTF-8; another byte counts one.
std::int64_t count_characters(std::string_view text);
/// Decodes one character at `at`, which moves behind it; an invalid byte is itself plus 0x110000.
std::uint32_t next_character(std::string_view text, std::size_t& at);
void append_utf8(std::string& text, std::uint32_t code_point);

}  // namespace retort::schema
