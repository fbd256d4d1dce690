// Unicode first, then marks, case, apostrophes, numbers and ends, each on the whole text.
#include "task/normalisation.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

#include "host/base/json_cursor.h"
#include "host/base/utf8.h"
#include "task/free_strings.h"

namespace retort::task {
namespace {

using Json = nlohmann::json;
using std::string_view;

std::string choice(const host::JsonCursor& root, const std::string& key, const std::vector<std::string>& allowed) {
  if (!root.has(key)) return allowed.front();
  const std::string found = root.at(key).string();
  if (std::find(allowed.begin(), allowed.end(), found) != allowed.end()) return found;
  std::string expected;
  for (const std::string& word : allowed) expected += (expected.empty() ? "\"" : ", \"") + word + "\"";
  root.at(key).refuse(expected);
}

std::string mapped(const std::string& text, int options) {
  utf8proc_uint8_t* result = nullptr;
  const auto length =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &result, static_cast<utf8proc_option_t>(options));
  if (length < 0) throw std::runtime_error(std::string("Unicode normalisation: ") + utf8proc_errmsg(length));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(result, &std::free);
  return {reinterpret_cast<const char*>(result), static_cast<std::size_t>(length)};
}

std::string lower_case(string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    utf8proc_int32_t point = -1;
    const auto length = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + at,
                                         static_cast<utf8proc_ssize_t>(text.size() - at), &point);
    std::array<utf8proc_uint8_t, 4> bytes{};
    const auto written = utf8proc_encode_char(utf8proc_tolower(point), bytes.data());
    result.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(written));
    at += static_cast<std::size_t>(length);
  }
  return result;
}

std::string with_plain_marks(std::string text) {
  static const std::pair<string_view, string_view> marks[] = {
      {"‘", "'"},      {"’", "'"},      {"‚", "'"},      {"‛", "'"},     {"′", "'"},  {"“", "\""},
      {"”", "\""},     {"„", "\""},     {"«", "\""},     {"»", "\""},    {"″", "\""}, {"‐", "-"},
      {"‑", "-"},      {"‒", "-"},      {"–", "-"},      {"—", "-"},     {"−", "-"},  {"…", "..."},
      {"\u00A0", " "}, {"\u2009", " "}, {"\u202F", " "}, {"\u3000", " "}};
  for (const auto& [mark, plain] : marks)
    for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + plain.size()))
      text.replace(at, mark.size(), plain);
  return text;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0;
}

/// Units that are written with and without a space before them.
bool is_unit(string_view word) {
  static constexpr std::array<string_view, 22> units = {"am", "pm", "h",  "min", "s",  "sec", "ms", "kg",
                                                        "g",  "mg", "km", "m",   "cm", "mm",  "l",  "ml",
                                                        "w",  "kw", "x",  "k",   "gb", "mb"};
  return std::find(units.begin(), units.end(), word) != units.end();
}

/// A number's unit: a run of letters of the list above, or a sign. Its length, or 0.
std::size_t unit_at(string_view text, std::size_t at) {
  for (const string_view sign : {string_view("%"), string_view("€"), string_view("°")})
    if (text.substr(at).starts_with(sign)) return sign.size();
  std::size_t end = at;
  while (end < text.size() && is_letter(text[end])) ++end;
  if (end < text.size() && (is_digit(text[end]) || static_cast<unsigned char>(text[end]) >= 0x80)) return 0;
  std::string word(text.substr(at, end - at));
  for (char& c : word) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return is_unit(word) ? end - at : 0;
}

std::string with_numbers(string_view text, bool spaced) {
  std::string result;
  bool in_number = false;  // a number that began behind no letter
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool digit = is_digit(c);
    if (digit && !in_number) in_number = i == 0 || !is_letter(text[i - 1]);
    if (!digit && in_number) {
      const bool gap = c == ' ' && i + 1 < text.size();
      if (spaced && !gap && unit_at(text, i) > 0) result += ' ';
      if (!spaced && gap && unit_at(text, i + 1) > 0) {
        in_number = false;
        continue;
      }
      in_number = (c == '.' || c == ',' || c == ':') && i + 1 < text.size() && is_digit(text[i + 1]);
    }
    result += c;
  }
  return result;
}

/// Between two letters, of any script.
std::string without_apostrophes(string_view text) {
  const auto of_word = [](char c) { return is_letter(c) || static_cast<unsigned char>(c) >= 0x80; };
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool inside = i > 0 && i + 1 < text.size() && of_word(text[i - 1]) && of_word(text[i + 1]);
    if (text[i] != '\'' || !inside) result += text[i];
  }
  return result;
}

std::string_view without_ends(string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(" \t\r\n"), text.size());
  text.remove_prefix(begin);
  const auto strip = [&](string_view mark) {
    if (!text.ends_with(mark) || text.size() == mark.size()) return false;
    text.remove_suffix(mark.size());
    return true;
  };
  while (strip(" ") || strip("\t") || strip("\r") || strip("\n") || strip(".") || strip("!") || strip("?") ||
         strip(",") || strip(";") || strip(":") || strip("…")) {
  }
  return text;
}

std::string inner_text(string_view text, const NormalisationOptions& options) {
  std::string result(text);
  if (host::replace_invalid_utf8(result) != result) return result;
  if (options.unicode == "nfc") result = mapped(result, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  if (options.unicode == "nfkc") result = mapped(result, UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT);
  if (options.marks == "plain") result = with_plain_marks(std::move(result));
  if (options.letters == "lower") result = lower_case(result);
  if (options.apostrophes == "drop") result = without_apostrophes(result);
  if (options.numbers != "keep") result = with_numbers(result, options.numbers == "spaced");
  return result;
}

/// Begins and ends of words, as bytes.
std::vector<std::pair<std::size_t, std::size_t>> words_of(string_view text) {
  std::vector<std::pair<std::size_t, std::size_t>> words;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = text.find_first_not_of(" \t\r\n", at);
    if (begin == string_view::npos) break;
    const std::size_t end = std::min(text.find_first_of(" \t\r\n", begin), text.size());
    words.emplace_back(begin, end);
    at = end;
  }
  return words;
}

/// A piece less the punctuation around it.
string_view bare_words(string_view text) {
  constexpr string_view around = ".,;:!?\"'()";
  const std::size_t begin = std::min(text.find_first_not_of(around), text.size());
  text.remove_prefix(begin);
  text.remove_suffix(text.size() - std::min(text.find_last_not_of(around) + 1, text.size()));
  return text;
}

/// The first piece of whole words that reads as `value`.
std::optional<std::string> piece_that_reads(const std::string& said, const std::string& value,
                                            const NormalisationOptions& options) {
  constexpr std::size_t longest = 16;  // words
  const auto words = words_of(said);
  for (std::size_t first = 0; first < words.size(); ++first)
    for (std::size_t last = first; last < std::min(words.size(), first + longest); ++last) {
      const string_view piece = string_view(said).substr(words[first].first, words[last].second - words[first].first);
      for (const string_view candidate : {piece, bare_words(piece)})
        if (inner_text(candidate, options) == value) return std::string(candidate);
    }
  return std::nullopt;
}

std::string as_said(std::string value, const Conversation& asked, const NormalisationOptions& options) {
  for (auto message = asked.messages.rbegin(); message != asked.messages.rend(); ++message) {
    if (message->role != Role::user) continue;
    if (message->content.find(value) != std::string::npos) return value;
    if (auto piece = piece_that_reads(message->content, value, options)) return std::move(*piece);
  }
  return value;
}

}  // namespace

NormalisationOptions normalisation_from_json(const Json& json, const std::string& origin) {
  const host::JsonCursor root = host::JsonCursor(json, origin).object();
  return {choice(root, "letters", {"keep", "lower"}),
          choice(root, "unicode", {"keep", "nfc", "nfkc"}),
          choice(root, "marks", {"keep", "plain"}),
          choice(root, "ends", {"keep", "strip"}),
          choice(root, "numbers", {"keep", "spaced", "joined"}),
          choice(root, "apostrophes", {"keep", "drop"}),
          choice(root, "values", {"said", "lower"})};
}

Json to_json(const NormalisationOptions& options) {
  return {{"letters", options.letters}, {"unicode", options.unicode}, {"marks", options.marks},
          {"ends", options.ends},       {"numbers", options.numbers}, {"apostrophes", options.apostrophes},
          {"values", options.values}};
}

std::string normalised(string_view text, const NormalisationOptions& options) {
  const std::string inner = inner_text(text, options);
  return options.ends == "strip" ? std::string(without_ends(inner)) : inner;
}

Conversation normalised(Conversation conversation, const NormalisationOptions& options) {
  for (Message& message : conversation.messages)
    if (message.role == Role::user) message.content = normalised(message.content, options);
  return conversation;
}

std::vector<Call> normalised(std::vector<Call> calls, const std::vector<Tool>& tools,
                             const NormalisationOptions& options) {
  change_free_strings(calls, tools, [&](const std::string& value) { return inner_text(value, options); });
  return calls;
}

std::vector<Call> restored(std::vector<Call> calls, const std::vector<Tool>& tools, const Conversation& asked,
                           const NormalisationOptions& options) {
  change_free_strings(calls, tools, [&](std::string value) {
    std::string said = as_said(std::move(value), asked, options);
    return options.values == "lower" ? lower_case(said) : said;
  });
  return calls;
}

}  // namespace retort::task
