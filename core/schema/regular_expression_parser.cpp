// Reads ECMA-262 expressions (ECMAScript 2024, 22.2.1 with [+UnicodeMode], and the two habits that the header names).
#include <algorithm>
#include <map>
#include <optional>
#include <stdexcept>

#include "schema/code_points.h"
#include "schema/regular_expression.h"

namespace retort::schema {
namespace {

using Kind = Expression::Kind;

constexpr std::int64_t most_repeats = 65535;  // PCRE2's limit too
constexpr int greatest_depth = 200;
constexpr std::size_t longest_pattern = 65536;  // bytes

Expression one_of(CodePointSet set) {
  Expression expression;
  expression.kind = Kind::characters;
  expression.characters = std::move(set);
  return expression;
}

class Parser {
 public:
  explicit Parser(std::string_view pattern) : pattern_(pattern) {
    if (pattern.size() > longest_pattern)
      throw std::invalid_argument("a regular expression of " + std::to_string(pattern.size()) +
                                  " bytes, expected at most " + std::to_string(longest_pattern));
    find_groups();
  }

  Expression parse() {
    Expression expression = alternatives();
    if (!at_end()) refuse("\")\" without \"(\"");
    return expression;
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw std::invalid_argument("not a regular expression (ECMA-262): \"" + std::string(pattern_) + "\", at byte " +
                                std::to_string(at_) + ": " + what);
  }
  bool at_end() const { return at_ >= pattern_.size(); }
  bool next_is(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }
  bool take(std::string_view text) {
    if (!next_is(text)) return false;
    at_ += text.size();
    return true;
  }
  std::uint32_t character() {
    if (at_end()) refuse("it ends too early");
    const std::uint32_t found = next_character(pattern_, at_);
    if (found > 0x10FFFF) refuse("no valid UTF-8");
    return found;
  }

  /// References may stand before their groups, so these are counted first.
  void find_groups() {
    bool in_class = false;
    for (std::size_t i = 0; i < pattern_.size(); ++i) {
      const char c = pattern_[i];
      if (c == '\\') {
        ++i;
      } else if (in_class) {
        in_class = c != ']';
      } else if (c == '[') {
        in_class = true;
      } else if (c == '(') {
        const std::string_view rest = pattern_.substr(i + 1);
        const bool named = rest.starts_with("?<") && !rest.starts_with("?<=") && !rest.starts_with("?<!");
        if (rest.starts_with("?") && !named) continue;
        ++groups_;
        if (named) names_.emplace(std::string(rest.substr(2, rest.find('>') - 2)), groups_);
      }
    }
  }

  Expression alternatives() {
    if (++depth_ > greatest_depth) refuse("groups nested deeper than " + std::to_string(greatest_depth));
    std::vector<Expression> parts;
    do parts.push_back(sequence());
    while (take("|"));
    --depth_;
    if (parts.size() == 1) return std::move(parts.front());
    Expression expression;
    expression.kind = Kind::alternatives;
    expression.parts = std::move(parts);
    return expression;
  }

  Expression sequence() {
    Expression expression;
    while (!at_end() && !next_is("|") && !next_is(")")) expression.parts.push_back(term());
    return expression;
  }

  Expression term() {
    const std::size_t start = at_;
    Expression expression = atom();
    const bool assertion = expression.kind == Kind::begin || expression.kind == Kind::end ||
                           expression.kind == Kind::look || expression.kind == Kind::word_boundary;
    std::int64_t least = 0, most = Expression::unbounded;
    if (take("*")) {
    } else if (take("+")) {
      least = 1;
    } else if (take("?")) {
      most = 1;
    } else if (!braces(least, most)) {
      return expression;
    }
    if (assertion) at_ = start, refuse("nothing to repeat");
    Expression repeat;
    repeat.kind = Kind::repeat;
    repeat.least = least;
    repeat.most = most;
    repeat.lazy = take("?");
    repeat.parts.push_back(std::move(expression));
    if (next_is("*") || next_is("+") || next_is("?")) refuse("nothing to repeat");
    return repeat;
  }

  std::optional<std::int64_t> number() {
    const std::size_t start = at_;
    std::int64_t value = 0;
    while (!at_end() && pattern_[at_] >= '0' && pattern_[at_] <= '9')
      value = std::min<std::int64_t>(value * 10 + (pattern_[at_++] - '0'), most_repeats + 1);
    return at_ == start ? std::nullopt : std::optional(value);
  }

  bool braces(std::int64_t& least, std::int64_t& most) {
    const std::size_t start = at_;
    const auto none = [&] { return at_ = start, false; };
    if (!take("{")) return false;
    const auto first = number();
    if (!first) return none();
    least = most = *first;
    if (take(",")) most = number().value_or(Expression::unbounded);
    if (!take("}")) return none();
    if (least > most_repeats || most > most_repeats) refuse("more than " + std::to_string(most_repeats) + " repeats");
    if (most != Expression::unbounded && most < least) refuse("numbers out of order in {}");
    return true;
  }

  Expression atom() {
    Expression expression;
    if (take("^")) return expression.kind = Kind::begin, expression;
    if (take("$")) return expression.kind = Kind::end, expression;
    if (take(".")) return one_of(any_but_line_ends());
    if (take("[")) return one_of(character_class());
    if (take("(")) return group();
    if (take("\\")) return escape();
    if (next_is("*") || next_is("+") || next_is("?")) refuse("nothing to repeat");
    if (std::int64_t a = 0, b = 0; next_is("{") && braces(a, b)) refuse("nothing to repeat");
    const std::uint32_t c = character();
    return one_of({{c, c}});
  }

  Expression group() {
    Expression expression;
    expression.kind = Kind::group;
    if (take("?")) {
      if (take(":")) return in_parentheses();
      expression.behind = next_is("<=") || next_is("<!");
      const bool look = expression.behind || next_is("=") || next_is("!");
      if (look) {
        at_ += expression.behind ? 1 : 0;
        expression.kind = Kind::look;
        expression.negative = character() == '!';
      } else if (take("<")) {
        const std::size_t close = pattern_.find('>', at_);
        if (close == std::string_view::npos || close == at_) refuse("a group's name");
        at_ = close + 1;
      } else {
        refuse("a group that ECMA-262 does not have: \"(?" + std::string(pattern_.substr(at_, 1)) + "\"");
      }
    }
    expression.parts.push_back(in_parentheses());
    return expression;
  }

  Expression in_parentheses() {
    Expression inner = alternatives();
    if (!take(")")) refuse("missing \")\"");
    return inner;
  }

  std::optional<CodePointSet> class_escape() {
    for (const auto& [letter, set] :
         {std::pair<char, CodePointSet (*)()>{'d', digits}, {'w', word_characters}, {'s', white_space}}) {
      if (take(std::string_view(&letter, 1))) return set();
      const char upper = static_cast<char>(letter - 'a' + 'A');
      if (take(std::string_view(&upper, 1))) return complement(set());
    }
    const bool negative = next_is("P{");
    if (!negative && !next_is("p{")) return std::nullopt;
    const std::size_t close = pattern_.find('}', at_);
    if (close == std::string_view::npos) refuse("missing \"}\"");
    const auto set = unicode_property(std::string(pattern_.substr(at_ + 2, close - at_ - 2)));
    if (!set) refuse("unknown Unicode property");
    at_ = close + 1;
    return negative ? complement(*set) : *set;
  }

  std::uint32_t hexadecimal(std::size_t count) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint32_t c = character();
      if (c > 0x7F || std::isxdigit(static_cast<int>(c)) == 0) refuse("expected a hexadecimal digit");
      value = value * 16 + (c <= '9' ? c - '0' : (c | 0x20U) - 'a' + 10);
    }
    return value;
  }

  /// Behind \u.
  std::uint32_t unicode_escape() {
    if (take("{")) {
      const std::size_t close = pattern_.find('}', at_);
      if (close == std::string_view::npos || close == at_ || close - at_ > 6) refuse("expected 1 to 6 digits and }");
      const std::uint32_t value = hexadecimal(close - at_);
      if (value > 0x10FFFF) refuse("beyond U+10FFFF");
      take("}");
      return value;
    }
    const std::uint32_t first = hexadecimal(4);
    if (first < 0xD800 || first > 0xDFFF) return first;
    if (first > 0xDBFF || !take("\\u")) refuse("half of a surrogate pair; write \\u{…}");
    const std::uint32_t second = hexadecimal(4);
    if (second < 0xDC00 || second > 0xDFFF) refuse("half of a surrogate pair; write \\u{…}");
    return 0x10000 + ((first - 0xD800) << 10U) + (second - 0xDC00);
  }

  /// Behind a backslash.
  std::uint32_t character_escape() {
    const std::uint32_t c = character();
    switch (c) {
      case 't':
        return '\t';
      case 'n':
        return '\n';
      case 'v':
        return '\v';
      case 'f':
        return '\f';
      case 'r':
        return '\r';
      case 'x':
        return hexadecimal(2);
      case 'u':
        return unicode_escape();
      case '0':
        return 0;
      case 'c': {
        const std::uint32_t letter = character();
        if (letter > 0x7F || std::isalpha(static_cast<int>(letter)) == 0) refuse("\\c needs a letter");
        return letter % 32;
      }
      default:
        break;
    }
    if (c > 0x7F || std::isalnum(static_cast<int>(c)) != 0) {
      --at_;
      refuse("\"\\" + std::string(pattern_.substr(at_, 1)) + "\" is no escape of ECMA-262");
    }
    return c;
  }

  Expression escape() {
    Expression expression;
    if (next_is("b") || next_is("B")) {
      expression.negative = character() == 'B';
      return expression.kind = Kind::word_boundary, expression;
    }
    if (auto set = class_escape()) return one_of(std::move(*set));
    if (!at_end() && pattern_[at_] >= '1' && pattern_[at_] <= '9') {
      expression.least = *number();
      if (expression.least > groups_) refuse("a reference to a group that is not there");
      return expression.kind = Kind::reference, expression;
    }
    if (take("k<")) {
      const std::size_t close = std::min(pattern_.find('>', at_), pattern_.size() - 1);
      const auto found = names_.find(std::string(pattern_.substr(at_, close - at_)));
      if (found == names_.end()) refuse("a reference to a group that is not there");
      at_ = close + 1;
      expression.least = found->second;
      return expression.kind = Kind::reference, expression;
    }
    const std::uint32_t c = character_escape();
    return one_of({{c, c}});
  }

  /// One character of a class, or nothing where a set was added to `set`.
  std::optional<std::uint32_t> class_member(CodePointSet& set) {
    if (!take("\\")) return character();
    if (take("b")) return '\b';
    if (const auto escaped = class_escape()) {
      set.insert(set.end(), escaped->begin(), escaped->end());
      return std::nullopt;
    }
    return character_escape();
  }

  CodePointSet character_class() {
    const bool negative = take("^");
    CodePointSet set;
    while (!take("]")) {
      if (at_end()) refuse("missing \"]\"");
      const auto first = class_member(set);
      if (!next_is("-") || next_is("-]")) {
        if (first) set.push_back({*first, *first});
        continue;
      }
      const std::size_t dash = at_++;
      const std::size_t known = set.size();
      const auto last = class_member(set);
      if (first && last) {
        if (*last < *first) at_ = dash, refuse("a range out of order");
        set.push_back({*first, *last});
        continue;
      }
      // [\w-.]: the dash stands for itself
      if (known > set.size()) refuse("a range");
      for (const auto& single : {first, last, std::optional<std::uint32_t>('-')})
        if (single) set.push_back({*single, *single});
    }
    set = normalized(std::move(set));
    return negative ? complement(set) : set;
  }

  std::string_view pattern_;
  std::size_t at_ = 0;
  int depth_ = 0;
  std::int64_t groups_ = 0;
  std::map<std::string, std::int64_t> names_;
};

}  // namespace

Expression parse_regular_expression(std::string_view pattern) {
  return Parser(pattern).parse();
}

}  // namespace retort::schema
