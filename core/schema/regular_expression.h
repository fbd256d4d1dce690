// ECMA-262 regular expressions (with the flag u, as JSON Schema asks) as trees: read once, then matched by pattern.h
// and turned into automata by core/grammar. \d and \w are ASCII, \s is ECMA's white space, whoever asks.
//
// Beyond ECMA-262 two habits of real schemas are taken: an escaped ASCII sign (\- \@ \_) is that sign, and a { or } or
// ] that begins no quantifier or ends no class stands for itself. Perl's and Python's own syntax ((?i), \A, \Z, \h,
// a++, (?P<) is refused.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace retort::schema {

struct CodePointRange {
  std::uint32_t first, last;
  bool operator==(const CodePointRange&) const = default;
};
/// Sorted, without overlaps or surrogates.
using CodePointSet = std::vector<CodePointRange>;

CodePointSet normalized(CodePointSet ranges);
CodePointSet complement(const CodePointSet& set);

struct Expression {
  enum class Kind : std::uint8_t {
    characters,     ///< one of `characters`
    sequence,       ///< all of `parts`; none: the empty text
    alternatives,   ///< one of `parts`
    repeat,         ///< parts[0], `least` to `most` times
    group,          ///< parts[0], captured
    begin,          ///< ^
    end,            ///< $
    look,           ///< (?=…) (?!…) (?<=…) (?<!…)
    word_boundary,  ///< \b, or \B where `negative`
    reference       ///< \1 or \k<name>: group number `least`
  };
  static constexpr std::int64_t unbounded = -1;

  Kind kind = Kind::sequence;
  CodePointSet characters;
  std::vector<Expression> parts;
  std::int64_t least = 0, most = unbounded;
  bool lazy = false, negative = false, behind = false;
};

/// Throws std::invalid_argument: the pattern, the place (in bytes), what is wrong there.
Expression parse_regular_expression(std::string_view pattern);

/// Whether only an engine that backtracks matches it: look-around, word boundaries, references.
bool needs_backtracking(const Expression& expression);

/// The same expression for PCRE2 (UTF mode, without UCP, PCRE2_DOLLAR_ENDONLY).
std::string to_pcre2(const Expression& expression);

}  // namespace retort::schema
