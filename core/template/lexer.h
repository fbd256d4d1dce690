// Splits a template into text and tokens, with Jinja2's white space rules under trim_blocks and lstrip_blocks, as
// Transformers sets them: the newline behind a block tag goes, and so do spaces between the begin of a line and one;
// "-" beside a delimiter takes all white space, "+" leaves it. Source: Jinja documentation, "Whitespace Control".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "template/error.h"

namespace retort::jinja {

struct Token {
  enum class Kind {
    text,            ///< of the template, outside delimiters
    variable_begin,  ///< {{
    variable_end,
    block_begin,  ///< {%
    block_end,
    name,
    integer,
    floating,
    string,  ///< `text` is its value
    symbol,  ///< an operator or punctuation
    end
  };
  Kind kind = Kind::end;
  std::string text;
  Place place;

  bool is_symbol(std::string_view symbol) const { return kind == Kind::symbol && text == symbol; }
  bool is_name(std::string_view name) const { return kind == Kind::name && text == name; }
};

/// Comments and raw blocks are gone, newlines are "\n", one newline at the end is dropped. The last token is `end`.
/// Throws TemplateError for invalid UTF-8, a delimiter without its end, or a character that no token begins with.
std::vector<Token> tokenize(std::string_view source, const std::string& origin);

/// A token for messages: "'endfor'", "the end of the template".
std::string description(const Token& token);

}  // namespace retort::jinja
