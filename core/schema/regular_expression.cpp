// See regular_expression.h: sets of code points and the tree's other forms. The reader is
// regular_expression_parser.cpp.
#include "schema/regular_expression.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace retort::schema {
namespace {

constexpr std::uint32_t last_code_point = 0x10FFFF;

std::string escaped(std::uint32_t code_point) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "\\x{%x}", code_point);
  return text.data();
}

std::string to_class(const CodePointSet& set) {
  if (set.empty()) return "(?!)";
  if (set.size() == 1 && set[0].first == set[0].last) return escaped(set[0].first);
  std::string text = "[";
  for (const auto& [first, last] : set) text += escaped(first) + (first == last ? "" : "-" + escaped(last));
  return text + "]";
}

std::string to_repeat(const Expression& expression) {
  std::string text = "(?:" + to_pcre2(expression.parts.front()) + "){" + std::to_string(expression.least) + ",";
  if (expression.most != Expression::unbounded) text += std::to_string(expression.most);
  return text + (expression.lazy ? "}?" : "}");
}

std::string joined(const Expression& expression, const char* separator) {
  std::string text;
  for (std::size_t i = 0; i < expression.parts.size(); ++i)
    text += (i == 0 ? "" : separator) + to_pcre2(expression.parts[i]);
  return text;
}

}  // namespace

CodePointSet normalized(CodePointSet ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  CodePointSet merged;
  for (const CodePointRange& range : ranges) {
    if (range.first > range.last) continue;
    if (!merged.empty() && range.first <= merged.back().last + 1)
      merged.back().last = std::max(merged.back().last, range.last);
    else
      merged.push_back(range);
  }
  CodePointSet result;  // without the surrogates D800 to DFFF, which no UTF-8 text has
  for (const auto& [first, last] : merged) {
    if (first < 0xD800) result.push_back({first, std::min<std::uint32_t>(last, 0xD7FF)});
    if (last > 0xDFFF) result.push_back({std::max<std::uint32_t>(first, 0xE000), last});
  }
  return result;
}

CodePointSet complement(const CodePointSet& set) {
  CodePointSet result;
  std::uint32_t next = 0;
  for (const auto& [first, last] : set) {
    if (first > next) result.push_back({next, first - 1});
    next = last + 1;
  }
  if (next <= last_code_point) result.push_back({next, last_code_point});
  return normalized(std::move(result));
}

bool needs_backtracking(const Expression& expression) {
  using Kind = Expression::Kind;
  if (expression.kind == Kind::look || expression.kind == Kind::word_boundary || expression.kind == Kind::reference)
    return true;
  return std::any_of(expression.parts.begin(), expression.parts.end(), needs_backtracking);
}

std::string to_pcre2(const Expression& expression) {
  switch (expression.kind) {
    case Expression::Kind::characters:
      return to_class(expression.characters);
    case Expression::Kind::sequence:
      return joined(expression, "");
    case Expression::Kind::alternatives:
      return "(?:" + joined(expression, "|") + ")";
    case Expression::Kind::repeat:
      return to_repeat(expression);
    case Expression::Kind::group:
      return "(" + to_pcre2(expression.parts.front()) + ")";
    case Expression::Kind::begin:
      return "^";
    case Expression::Kind::end:
      return "$";
    case Expression::Kind::look:
      return std::string("(?") + (expression.behind ? "<" : "") + (expression.negative ? "!" : "=") +
             to_pcre2(expression.parts.front()) + ")";
    case Expression::Kind::word_boundary:
      return expression.negative ? "\\B" : "\\b";
    case Expression::Kind::reference:
      return "\\g{" + std::to_string(expression.least) + "}";
  }
  return "";
}

}  // namespace retort::schema
