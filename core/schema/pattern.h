// A compiled "pattern": whether a text has a match anywhere.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "schema/regular_expression.h"

namespace retort::schema {

/// Used by one thread at a time. Matched by PCRE2, whose work is bounded: std::regex recurses once per character.
class Pattern {
 public:
  /// Throws std::invalid_argument as parse_regular_expression, and for what PCRE2 cannot do (a look-behind of any
  /// length).
  explicit Pattern(const std::string& pattern);
  ~Pattern();
  Pattern(Pattern&&) noexcept;

  const std::string& text() const { return text_; }
  const Expression& expression() const { return expression_; }
  /// False too where the search exceeds PCRE2's limits, and for text that is no UTF-8 around the match.
  bool search(std::string_view text) const;

 private:
  struct Code;
  std::string text_;
  Expression expression_;
  std::unique_ptr<Code> code_;
};

}  // namespace retort::schema
