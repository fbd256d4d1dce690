// See lexer.h.
#include "template/lexer.h"

#include <algorithm>
#include <array>
#include <optional>

#include "host/base/utf8.h"
#include "template/unicode.h"

namespace retort::jinja {
namespace {

using Kind = Token::Kind;

std::string with_unix_newlines(std::string_view source) {
  std::string text;
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      text += source[i];
    } else if (i + 1 == source.size() || source[i + 1] != '\n') {
      text += '\n';
    }
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

bool is_ascii_digit(char c) {
  return c >= '0' && c <= '9';
}
bool starts_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

class Lexer {
 public:
  Lexer(std::string_view source, const std::string& origin) : origin_(origin), source_(with_unix_newlines(source)) {}

  std::vector<Token> run() {
    check_encoding();
    while (at_ < source_.size()) read_until_delimiter();
    push(Kind::end, "", source_.size());
    return std::move(tokens_);
  }

 private:
  /// Counts on from the last place that was asked for, so that long lines take linear time.
  Place place_of(std::size_t offset) const {
    if (offset < counted_) {
      counted_ = 0;
      counted_place_ = {1, 1};
    }
    for (; counted_ < offset; ++counted_) {
      const char byte = source_[counted_];
      if (byte == '\n')
        counted_place_ = {counted_place_.line + 1, 1};
      else if ((static_cast<unsigned char>(byte) & 0xC0U) != 0x80U)
        ++counted_place_.column;
    }
    return counted_place_;
  }
  [[noreturn]] void refuse(std::size_t offset, const std::string& what) const {
    throw TemplateError(origin_, place_of(offset), what);
  }
  void push(Kind kind, std::string text, std::size_t offset) {
    tokens_.push_back({kind, std::move(text), place_of(offset)});
  }
  std::string_view rest(std::size_t offset) const { return std::string_view(source_).substr(offset); }

  void check_encoding() const {
    for (std::size_t i = 0; i < source_.size();) {
      const std::size_t length = host::character_length(rest(i));
      if (length == 0)
        refuse(i, "expected UTF-8, found the byte " + std::to_string(static_cast<unsigned char>(source_[i])));
      i += length;
    }
  }

  /// Text up to the next delimiter, and what the delimiter opens.
  void read_until_delimiter() {
    std::size_t begin = at_;
    std::size_t open = source_.find('{', at_);
    while (open != std::string::npos && (open + 1 == source_.size() || !is_one_of(source_[open + 1], "{%#")))
      open = source_.find('{', open + 1);
    if (open == std::string::npos) {
      push(Kind::text, source_.substr(begin), begin);
      at_ = source_.size();
      return;
    }
    const char type = source_[open + 1];
    const char sign = open + 2 < source_.size() && is_one_of(source_[open + 2], "-+") ? source_[open + 2] : '\0';
    push_text(begin, open, sign, type == '{');
    at_ = open + (sign == '\0' ? 2 : 3);
    if (type == '#') {
      skip_comment(open);
    } else if (const auto raw = type == '%' ? raw_begin() : std::nullopt) {
      at_ = *raw;
      read_raw(open);
    } else {
      push(type == '{' ? Kind::variable_begin : Kind::block_begin, "", open);
      read_inside(open, type == '{' ? "}}" : "%}", type == '{' ? Kind::variable_end : Kind::block_end);
    }
    line_starts_ = source_[at_ - 1] == '\n';
  }
  static bool is_one_of(char c, std::string_view set) { return set.find(c) != std::string_view::npos; }

  void push_text(std::size_t begin, std::size_t end, char sign, bool is_variable) {
    std::string_view text = std::string_view(source_).substr(begin, end - begin);
    if (sign == '-') {
      text = strip(text, Side::right);
    } else if (sign != '+' && !is_variable) {
      const std::size_t newline = text.rfind('\n');
      const std::size_t line = newline == std::string_view::npos ? 0 : newline + 1;
      if ((line > 0 || line_starts_) && strip(text.substr(line), Side::both).empty()) text = text.substr(0, line);
    }
    if (!text.empty()) push(Kind::text, std::string(text), begin);
  }

  void skip_white_space() {
    while (at_ < source_.size()) {
      const std::size_t length = host::character_length(rest(at_));
      if (!is_white_space(rest(at_).substr(0, length))) return;
      at_ += length;
    }
  }

  /// Takes `close`, with a sign before it, if it stands at `at`; the white space behind goes as the sign asks.
  bool take_end(std::string_view close) {
    const bool sign = is_one_of(source_[at_], close == "}}" ? "-" : "-+") && rest(at_ + 1).starts_with(close);
    if (!sign && !rest(at_).starts_with(close)) return false;
    const char kind = sign ? source_[at_] : '\0';
    at_ += close.size() + (sign ? 1 : 0);
    if (kind == '-')
      skip_white_space();
    else if (kind == '\0' && close != "}}" && rest(at_).starts_with('\n'))
      ++at_;
    return true;
  }

  void skip_comment(std::size_t open) {
    for (; at_ < source_.size(); ++at_)
      if (take_end("#}")) return;
    refuse(open, "a comment without '#}'");
  }

  /// Behind "raw %}", where a raw block begins here. Its begin trims no newline, only "-" takes white space.
  std::optional<std::size_t> raw_begin() {
    const std::size_t before = at_;
    const auto found = [&]() -> std::optional<std::size_t> {
      skip_white_space();
      if (!rest(at_).starts_with("raw")) return std::nullopt;
      at_ += 3;
      skip_white_space();
      if (rest(at_).starts_with("%}")) return at_ + 2;
      if (!rest(at_).starts_with("-%}")) return std::nullopt;
      at_ += 3;
      skip_white_space();
      return at_;
    }();
    at_ = before;
    return found;
  }

  void read_raw(std::size_t open) {
    const std::size_t begin = at_;
    for (std::size_t end = source_.find("{%", at_); end != std::string::npos; end = source_.find("{%", end + 1)) {
      at_ = end + 2;
      const char sign = at_ < source_.size() && is_one_of(source_[at_], "-+") ? source_[at_] : '\0';
      if (sign != '\0') ++at_;
      skip_white_space();
      if (!rest(at_).starts_with("endraw")) continue;
      at_ += 6;
      skip_white_space();
      if (at_ >= source_.size() || !take_end("%}")) continue;
      line_starts_ = begin > 0 && source_[begin - 1] == '\n';
      push_text(begin, end, sign, false);
      return;
    }
    refuse(open, "a raw block without '{% endraw %}'");
  }

  void read_inside(std::size_t open, std::string_view close, Kind end) {
    std::vector<std::pair<char, std::size_t>> brackets;
    while (true) {
      skip_white_space();
      if (at_ >= source_.size()) refuse(open, "'" + source_.substr(open, 2) + "' without '" + std::string(close) + "'");
      const std::size_t begin = at_;
      if (brackets.empty() && take_end(close)) {
        push(end, "", begin);
        return;
      }
      const char c = source_[at_];
      if (starts_name(c))
        read_name();
      else if (is_ascii_digit(c))
        read_number();
      else if (c == '\'' || c == '"')
        read_string();
      else
        read_symbol(brackets);
    }
  }

  void read_name() {
    const std::size_t begin = at_;
    while (at_ < source_.size() && (starts_name(source_[at_]) || is_ascii_digit(source_[at_]))) {
      const std::size_t length = host::character_length(rest(at_));
      if (length > 1 && !is_letter(code_point(rest(at_).substr(0, length))))
        refuse(at_, "unexpected character '" + std::string(rest(at_).substr(0, length)) + "'");
      at_ += length;
    }
    push(Kind::name, source_.substr(begin, at_ - begin), begin);
  }

  std::string digits() {
    std::string text;
    while (at_ < source_.size() && (is_ascii_digit(source_[at_]) || (source_[at_] == '_' && at_ + 1 < source_.size() &&
                                                                     is_ascii_digit(source_[at_ + 1])))) {
      if (source_[at_] != '_') text += source_[at_];
      ++at_;
    }
    return text;
  }
  void read_number() {
    const std::size_t begin = at_;
    const bool behind_dot = begin > 0 && source_[begin - 1] == '.';  // messages.0.content
    std::string text = digits();
    if (at_ < source_.size() && text == "0" && is_one_of(source_[at_], "xXoObB"))
      refuse(begin, "numbers in other bases than ten are not supported");
    if (text.size() > 1 && text[0] == '0' && text.find_first_not_of('0') != std::string::npos)
      refuse(begin, "a number that begins with 0");
    bool floating = false;
    const auto at = [&](std::size_t offset) { return at_ + offset < source_.size() ? source_[at_ + offset] : '\0'; };
    if (!behind_dot && at(0) == '.' && is_ascii_digit(at(1))) {
      ++at_;
      text += "." + digits();
      floating = true;
    }
    const std::size_t sign = is_one_of(at(1), "+-") ? 1 : 0;
    if (!behind_dot && (at(0) == 'e' || at(0) == 'E') && is_ascii_digit(at(1 + sign))) {
      text += source_.substr(at_, 1 + sign);
      at_ += 1 + sign;
      text += digits();
      floating = true;
    }
    push(floating ? Kind::floating : Kind::integer, text, begin);
  }

  void read_string() {
    const std::size_t begin = at_;
    const char quote = source_[at_++];
    std::string value;
    while (at_ < source_.size() && source_[at_] != quote) {
      if (source_[at_] == '\\' && at_ + 1 < source_.size())
        read_escape(value);
      else
        value += source_[at_++];
    }
    if (at_ >= source_.size()) refuse(begin, std::string("a string without its closing ") + quote);
    ++at_;
    push(Kind::string, std::move(value), begin);
  }

  /// Python's escapes of str literals; an unknown one stands for itself, backslash included.
  void read_escape(std::string& value) {
    static constexpr std::string_view letters = "\\'\"abfnrtv";
    static constexpr std::string_view meanings = "\\'\"\a\b\f\n\r\t\v";
    const std::size_t begin = at_;
    const char c = source_[at_ + 1];
    at_ += 2;
    if (const auto known = letters.find(c); known != std::string_view::npos) {
      value += meanings[known];
    } else if (c == '\n') {
      return;  // a line that goes on
    } else if (c == 'x' || c == 'u' || c == 'U') {
      read_code_point(value, begin, c == 'x' ? 2 : c == 'u' ? 4 : 8);
    } else if (c == 'N' || (c >= '0' && c <= '7')) {
      refuse(begin, std::string("the escape \\") + c + " is not supported; write \\u and four hexadecimal digits");
    } else {
      value += '\\';
      --at_;  // the character itself may be of several bytes
    }
  }
  void read_code_point(std::string& value, std::size_t begin, std::size_t count) {
    char32_t point = 0;
    for (std::size_t i = 0; i < count; ++i, ++at_) {
      const auto digit = std::string_view("0123456789abcdef")
                             .find(at_ < source_.size() ? static_cast<char>(source_[at_] | 0x20) : ' ');
      if (digit == std::string_view::npos)
        refuse(begin, "an escape needs " + std::to_string(count) + " hexadecimal digits");
      point = point * 16 + static_cast<char32_t>(digit);
    }
    if (point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) refuse(begin, "an escape that is no character");
    append_character(value, point);
  }

  void read_symbol(std::vector<std::pair<char, std::size_t>>& brackets) {
    static constexpr std::array<std::string_view, 6> pairs = {"//", "**", "==", "!=", ">=", "<="};
    static constexpr std::string_view singles = "+-/*%~[](){}<>=.:|,;";
    for (const std::string_view symbol : pairs) {
      if (!rest(at_).starts_with(symbol)) continue;
      push(Kind::symbol, std::string(symbol), at_);
      at_ += 2;
      return;
    }
    const char c = source_[at_];
    if (!is_one_of(c, singles)) refuse(at_, std::string("unexpected character '") + c + "'");
    if (is_one_of(c, "([{")) brackets.emplace_back(c == '(' ? ')' : c == '[' ? ']' : '}', at_);
    if (is_one_of(c, ")]}")) {
      if (brackets.empty()) refuse(at_, std::string("unexpected '") + c + "'");
      if (brackets.back().first != c)
        refuse(at_, std::string("expected '") + brackets.back().first + "', found '" + c + "'");
      brackets.pop_back();
    }
    push(Kind::symbol, std::string(1, c), at_);
    ++at_;
  }

  std::string origin_;
  std::string source_;
  mutable std::size_t counted_ = 0;
  mutable Place counted_place_ = {1, 1};
  std::size_t at_ = 0;
  bool line_starts_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source, const std::string& origin) {
  return Lexer(source, origin).run();
}

std::string description(const Token& token) {
  switch (token.kind) {
    case Kind::text:
      return "text";
    case Kind::variable_begin:
      return "'{{'";
    case Kind::variable_end:
      return "'}}'";
    case Kind::block_begin:
      return "'{%'";
    case Kind::block_end:
      return "'%}'";
    case Kind::string:
      return "a string";
    case Kind::end:
      return "the end of the template";
    default:
      return "'" + token.text + "'";
  }
}

}  // namespace retort::jinja
