// See unicode.h; properties and simple case mappings come from utf8proc.
#include "template/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "host/base/utf8.h"

namespace retort::jinja {
namespace {

/// Length in bytes, by the first byte.
std::size_t width(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/// Unicode's SpecialCasing.txt, unconditional: upper case and title case of more than one character.
struct Special {
  char32_t character;
  const char* upper;
  const char* title;
};
constexpr std::array<Special, 11> specials = {{{0xDF, "SS", "Ss"},
                                               {0x149, "ʼN", "ʼN"},
                                               {0x1F0, "J̌", "J̌"},
                                               {0xFB00, "FF", "Ff"},
                                               {0xFB01, "FI", "Fi"},
                                               {0xFB02, "FL", "Fl"},
                                               {0xFB03, "FFI", "Ffi"},
                                               {0xFB04, "FFL", "Ffl"},
                                               {0xFB05, "ST", "St"},
                                               {0xFB06, "ST", "St"},
                                               {0x1E9E, "ẞ", "ẞ"}}};

bool has_unknown_mapping(char32_t c) {
  return c == 0x390 || c == 0x3B0 || c == 0x587 || (c >= 0x1E96 && c <= 0x1E9A) || (c >= 0x1F50 && c <= 0x1FFC) ||
         (c >= 0xFB13 && c <= 0xFB17);
}

[[noreturn]] void refuse_case(char32_t c) {
  std::string text = "the case of '";
  append_character(text, c);
  throw std::invalid_argument(text + "' cannot be changed: its mapping to several characters is not supported");
}

void append_upper(std::string& text, char32_t c, const char* Special::* form) {
  if (has_unknown_mapping(c)) refuse_case(c);
  for (const Special& special : specials) {
    if (special.character != c) continue;
    text += special.*form;
    return;
  }
  const auto point = static_cast<utf8proc_int32_t>(c);
  append_character(text,
                   static_cast<char32_t>(form == &Special::title ? utf8proc_totitle(point) : utf8proc_toupper(point)));
}

bool is_cased(char32_t c) {
  return is_upper(c) || is_lower(c) || utf8proc_category(static_cast<utf8proc_int32_t>(c)) == UTF8PROC_CATEGORY_LT;
}

/// Python's final sigma: a cased character before it, none after it (case-ignorable ones taken for none but letters).
bool ends_word(const std::vector<std::string_view>& all, std::size_t i) {
  const bool before = i > 0 && is_cased(code_point(all[i - 1]));
  const bool after = i + 1 < all.size() && is_cased(code_point(all[i + 1]));
  return before && !after;
}

void append_lower(std::string& text, const std::vector<std::string_view>& all, std::size_t i) {
  const char32_t c = code_point(all[i]);
  if (c == 0x130) {
    text += "i̇";
  } else if (c == 0x3A3) {
    text += ends_word(all, i) ? "ς" : "σ";
  } else {
    append_character(text, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
  }
}

template <typename Predicate>
std::string_view strip_where(std::string_view text, Side side, Predicate&& stripped) {
  while (side != Side::right && !text.empty()) {
    const std::size_t length = width(text.front());
    if (!stripped(text.substr(0, length))) break;
    text.remove_prefix(length);
  }
  while (side != Side::left && !text.empty()) {
    std::size_t begin = text.size() - 1;
    while ((static_cast<unsigned char>(text[begin]) & 0xC0U) == 0x80U) --begin;
    if (!stripped(text.substr(begin))) break;
    text.remove_suffix(text.size() - begin);
  }
  return text;
}

}  // namespace

std::size_t character_count(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U; }));
}

std::vector<std::string_view> characters(std::string_view text) {
  std::vector<std::string_view> all;
  all.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); i += width(text[i])) all.push_back(text.substr(i, width(text[i])));
  return all;
}

char32_t code_point(std::string_view character) {
  utf8proc_int32_t point = 0;
  utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(character.data()),
                   static_cast<utf8proc_ssize_t>(character.size()), &point);
  return static_cast<char32_t>(point);
}

void append_character(std::string& text, char32_t code_point) {
  std::array<utf8proc_uint8_t, 4> bytes{};
  const utf8proc_ssize_t length = utf8proc_encode_char(static_cast<utf8proc_int32_t>(code_point), bytes.data());
  text.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(length));
}

bool is_white_space(std::string_view character) {
  const char32_t c = code_point(character);
  if (c < 0x80) return (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x20);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
         c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_printable(char32_t code_point) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code_point))) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return false;
    case UTF8PROC_CATEGORY_ZS:
      return code_point == ' ';
    default:
      return true;
  }
}

bool is_letter(char32_t code_point) {
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(code_point));
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}
bool is_digit(char32_t code_point) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(code_point)) == UTF8PROC_CATEGORY_ND;
}
bool is_other_number(char32_t code_point) {
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(code_point));
  return category == UTF8PROC_CATEGORY_NL || category == UTF8PROC_CATEGORY_NO;
}
bool is_upper(char32_t code_point) {
  return utf8proc_isupper(static_cast<utf8proc_int32_t>(code_point)) != 0;
}
bool is_lower(char32_t code_point) {
  return utf8proc_islower(static_cast<utf8proc_int32_t>(code_point)) != 0;
}

std::string upper(std::string_view text) {
  std::string result;
  for (const std::string_view character : characters(text))
    append_upper(result, code_point(character), &Special::upper);
  return result;
}

std::string lower(std::string_view text) {
  std::string result;
  const auto all = characters(text);
  for (std::size_t i = 0; i < all.size(); ++i) append_lower(result, all, i);
  return result;
}

std::string capitalize(std::string_view text) {
  std::string result;
  const auto all = characters(text);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i == 0)
      append_upper(result, code_point(all[i]), &Special::title);
    else
      append_lower(result, all, i);
  }
  return result;
}

std::string title(std::string_view text) {
  std::string result;
  const auto all = characters(text);
  bool inside = false;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const char32_t c = code_point(all[i]);
    if (inside)
      append_lower(result, all, i);
    else
      append_upper(result, c, &Special::title);
    inside = is_cased(c);
  }
  return result;
}

std::vector<std::string_view> lines(std::string_view text) {
  static constexpr std::u32string_view boundaries = U"\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029";
  std::vector<std::string_view> all;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = width(text[i]);
    const bool boundary = boundaries.find(code_point(text.substr(i, length))) != std::u32string_view::npos;
    if (boundary) all.push_back(text.substr(begin, i - begin));
    i += text.substr(i).starts_with("\r\n") ? 2 : length;
    if (boundary) begin = i;
  }
  if (begin < text.size()) all.push_back(text.substr(begin));
  return all;
}

std::string_view strip(std::string_view text, Side side) {
  return strip_where(text, side, [](std::string_view character) { return is_white_space(character); });
}

std::string_view strip(std::string_view text, Side side, std::string_view set) {
  const auto all = characters(set);
  return strip_where(text, side, [&](std::string_view character) {
    return std::find(all.begin(), all.end(), character) != all.end();
  });
}

}  // namespace retort::jinja
