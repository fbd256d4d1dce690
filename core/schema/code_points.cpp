// See code_points.h. A property's set is read off PCRE2 by matching it against every character once.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "schema/code_points.h"

#include <pcre2.h>

#include <map>
#include <memory>
#include <mutex>

namespace retort::schema {
namespace {

const std::string& every_character() {
  static const std::string text = [] {
    std::string all;
    for (std::uint32_t c = 0; c <= 0x10FFFF; ++c)
      if (c < 0xD800 || c > 0xDFFF) append_utf8(all, c);
    return all;
  }();
  return text;
}

const std::map<std::string, std::string>& long_category_names() {
  static const std::map<std::string, std::string> names = {{"Letter", "L"},
                                                           {"Cased_Letter", "L&"},
                                                           {"Uppercase_Letter", "Lu"},
                                                           {"Lowercase_Letter", "Ll"},
                                                           {"Titlecase_Letter", "Lt"},
                                                           {"Modifier_Letter", "Lm"},
                                                           {"Other_Letter", "Lo"},
                                                           {"Mark", "M"},
                                                           {"Nonspacing_Mark", "Mn"},
                                                           {"Spacing_Mark", "Mc"},
                                                           {"Enclosing_Mark", "Me"},
                                                           {"Number", "N"},
                                                           {"Decimal_Number", "Nd"},
                                                           {"digit", "Nd"},
                                                           {"Letter_Number", "Nl"},
                                                           {"Other_Number", "No"},
                                                           {"Punctuation", "P"},
                                                           {"punct", "P"},
                                                           {"Symbol", "S"},
                                                           {"Math_Symbol", "Sm"},
                                                           {"Currency_Symbol", "Sc"},
                                                           {"Modifier_Symbol", "Sk"},
                                                           {"Other_Symbol", "So"},
                                                           {"Separator", "Z"},
                                                           {"Space_Separator", "Zs"},
                                                           {"Line_Separator", "Zl"},
                                                           {"Paragraph_Separator", "Zp"},
                                                           {"Other", "C"},
                                                           {"Control", "Cc"},
                                                           {"cntrl", "Cc"},
                                                           {"Format", "Cf"},
                                                           {"Private_Use", "Co"},
                                                           {"Unassigned", "Cn"},
                                                           {"Connector_Punctuation", "Pc"},
                                                           {"Dash_Punctuation", "Pd"},
                                                           {"Open_Punctuation", "Ps"},
                                                           {"Close_Punctuation", "Pe"},
                                                           {"Initial_Punctuation", "Pi"},
                                                           {"Final_Punctuation", "Pf"},
                                                           {"Other_Punctuation", "Po"}};
  return names;
}

std::string pcre2_name(std::string name) {
  for (const char* prefix : {"General_Category=", "gc="})
    if (name.starts_with(prefix)) name.erase(0, std::string(prefix).size());
  const auto found = long_category_names().find(name);
  if (found != long_category_names().end()) name = found->second;
  for (char& character : name)
    if (character == '=') character = ':';
  return name;
}

std::optional<CodePointSet> matched_characters(const std::string& property) {
  const std::string pattern = "\\p{" + property + "}+";
  int error = 0;
  std::size_t place = 0;
  const std::unique_ptr<pcre2_code, decltype(&pcre2_code_free)> code(
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_UTF, &error, &place, nullptr),
      &pcre2_code_free);
  if (!code) return std::nullopt;
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> match(pcre2_match_data_create(1, nullptr),
                                                                                  &pcre2_match_data_free);
  const std::string& text = every_character();
  CodePointSet set;
  std::size_t from = 0;
  while (pcre2_match(code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from, PCRE2_NO_UTF_CHECK,
                     match.get(), nullptr) >= 0) {
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(match.get());
    std::size_t first = bounds[0], last = bounds[1] - 1;
    while ((static_cast<unsigned char>(text[last]) & 0xC0U) == 0x80U) --last;
    set.push_back({next_character(text, first), next_character(text, last)});
    from = bounds[1];
  }
  return normalized(std::move(set));
}

}  // namespace

CodePointSet digits() {
  return {{'0', '9'}};
}

CodePointSet word_characters() {
  return {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
}

CodePointSet white_space() {
  return {{0x09, 0x0D},     {0x20, 0x20},     {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
          {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
}

CodePointSet any_but_line_ends() {
  return complement({{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}});
}

std::optional<CodePointSet> unicode_property(const std::string& name) {
  static std::mutex mutex;
  static std::map<std::string, CodePointSet> known;
  const std::scoped_lock lock(mutex);
  if (const auto found = known.find(name); found != known.end()) return found->second;
  std::optional<CodePointSet> set = matched_characters(pcre2_name(name));
  if (set) known.emplace(name, *set);
  return set;
}

std::uint32_t next_character(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::uint32_t lead = byte(at);
  const std::size_t length = lead < 0x80 ? 1 : lead >= 0xC2 && lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (lead < 0x80) return ++at, lead;
  const bool is_lead = lead >= 0xC2 && lead < 0xF5;
  std::uint32_t code_point = length == 2 ? lead & 0x1FU : length == 3 ? lead & 0x0FU : lead & 0x07U;
  for (std::size_t i = 1; i < length; ++i) {
    if (!is_lead || at + i >= text.size() || (byte(at + i) & 0xC0U) != 0x80U) return ++at, 0x110000 + lead;
    code_point = (code_point << 6U) | (byte(at + i) & 0x3FU);
  }
  const std::uint32_t least = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000;
  if (code_point < least || code_point > 0x10FFFF || (code_point >= 0xD800 && code_point <= 0xDFFF))
    return ++at, 0x110000 + lead;
  at += length;
  return code_point;
}

std::int64_t count_characters(std::string_view text) {
  std::int64_t count = 0;
  for (std::size_t at = 0; at < text.size(); ++count) next_character(text, at);
  return count;
}

void append_utf8(std::string& text, std::uint32_t c) {
  const auto add = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
  const auto tail = [&](unsigned shift) { add(0x80U | ((c >> shift) & 0x3FU)); };
  if (c < 0x80) return add(c);
  if (c < 0x800) return add(0xC0U | (c >> 6U)), tail(0);
  if (c < 0x10000) return add(0xE0U | (c >> 12U)), tail(6), tail(0);
  add(0xF0U | (c >> 18U)), tail(12), tail(6), tail(0);
}

}  // namespace retort::schema
