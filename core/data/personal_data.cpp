// See personal_data.h.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "data/personal_data.h"

#include <arpa/inet.h>
#include <pcre2.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <stdexcept>

namespace retort::data {
namespace {

using nlohmann::json;

using Fits = bool (*)(std::string_view);

std::size_t digits_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0; }));
}

bool always_fits(std::string_view) {
  return true;
}

/// Seven to fifteen digits (ITU-T E.164), and no date.
bool fits_phone(std::string_view text) {
  const std::size_t digits = digits_of(text);
  if (digits < 7 || digits > 15) return false;
  if (text.starts_with('+') || text.starts_with('(')) return true;
  std::vector<std::size_t> groups(1);
  for (const char c : text) {
    if (std::isdigit(static_cast<unsigned char>(c)) != 0)
      ++groups.back();
    else
      groups.push_back(0);
  }
  const bool date = groups.size() == 3 && digits == 8 && (groups.front() == 4 || groups.back() == 4);
  return !date && (groups.size() > 1 || digits >= 10);
}

bool fits_address(std::string_view text) {
  unsigned char buffer[16];
  const std::string address(text);
  return ::inet_pton(AF_INET, address.c_str(), buffer) == 1 || ::inet_pton(AF_INET6, address.c_str(), buffer) == 1;
}

struct Kind {
  const char* name;
  const char* pattern;
  Fits fits;
};

constexpr Kind builtin[] = {
    {"email", R"([A-Za-z0-9._%+\-]+@(?:[A-Za-z0-9\-]+\.)+[A-Za-z]{2,})", &always_fits},
    {"card", R"((?<!\d)\d(?:[ \-]?\d){12,18}(?!\d))", &has_card_check_digit},
    {"ip", R"((?<![\w.:])(?:(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)|(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])))",
     &fits_address},
    {"phone", R"((?<![\w.+])(?:\+\d{1,3}[ .\-]?)?(?:\(\d{1,4}\)[ .\-]?)?\d{2,11}(?:[ .\-]\d{2,8}){0,4}(?!\w))",
     &fits_phone},
};

bool fits_name(const std::string& name) {
  return !name.empty() &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

}  // namespace

bool has_card_check_digit(std::string_view text) {
  const std::size_t digits = digits_of(text);
  if (digits < 13 || digits > 19) return false;
  int sum = 0;
  bool twice = false;
  for (auto c = text.rbegin(); c != text.rend(); ++c) {
    if (std::isdigit(static_cast<unsigned char>(*c)) == 0) continue;
    const int digit = (*c - '0') * (twice ? 2 : 1);
    sum += digit > 9 ? digit - 9 : digit;
    twice = !twice;
  }
  return sum % 10 == 0;
}

struct PersonalData::Finder {
  std::string name;
  Fits fits;
  pcre2_code* code = nullptr;
  pcre2_match_data* match = nullptr;

  Finder(std::string given, const std::string& pattern, Fits check) : name(std::move(given)), fits(check) {
    int error = 0;
    PCRE2_SIZE place = 0;
    code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                         PCRE2_UTF | PCRE2_MATCH_INVALID_UTF, &error, &place, nullptr);
    if (code == nullptr) {
      PCRE2_UCHAR words[200];
      pcre2_get_error_message(error, words, sizeof words);
      throw std::invalid_argument("pattern " + name + ": \"" + pattern + "\" cannot be read at byte " +
                                  std::to_string(place) + ": " + reinterpret_cast<const char*>(words));
    }
    match = pcre2_match_data_create_from_pattern(code, nullptr);
  }
  Finder(const Finder&) = delete;
  Finder& operator=(const Finder&) = delete;
  ~Finder() {
    pcre2_match_data_free(match);
    pcre2_code_free(code);
  }
  /// Begin and end of the next match from `from` on that fits.
  std::optional<std::pair<std::size_t, std::size_t>> find(const std::string& text, std::size_t from) const {
    while (from <= text.size()) {
      const int found =
          pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from, 0, match, nullptr);
      if (found <= 0) return std::nullopt;
      const PCRE2_SIZE* place = pcre2_get_ovector_pointer(match);
      if (place[1] > place[0] && fits(std::string_view(text).substr(place[0], place[1] - place[0])))
        return std::pair(place[0], place[1]);
      from = std::max(place[1], place[0] + 1);
    }
    return std::nullopt;
  }
};

namespace {

/// What was replaced in one conversation.
struct Replaced {
  std::map<std::string, std::int64_t> counts;
  std::map<std::string, std::map<std::string, std::size_t>> numbers;  ///< kind → value → its number

  std::string placeholder(const std::string& kind, const std::string& value) {
    ++counts[kind];
    auto& known = numbers[kind];
    const std::size_t number = known.emplace(value, known.size() + 1).first->second;
    return "[" + upper(kind) + "_" + std::to_string(number) + "]";
  }
};

}  // namespace

PersonalData::PersonalData(const std::vector<std::string>& kinds,
                           const std::vector<std::pair<std::string, std::string>>& patterns) {
  for (const auto& [name, pattern] : patterns) {
    if (!fits_name(name))
      throw std::invalid_argument("pattern: expected NAME=PATTERN with letters and digits in NAME, found \"" + name +
                                  "\"");
    finders_.push_back(std::make_unique<Finder>(name, pattern, &always_fits));
  }
  for (const std::string& wanted : kinds)
    if (std::none_of(std::begin(builtin), std::end(builtin), [&](const Kind& kind) { return wanted == kind.name; }))
      throw std::invalid_argument("kind: expected email, phone, card or ip, found \"" + wanted + "\"");
  for (const Kind& kind : builtin)  // in this order: a card is no phone
    if (std::find(kinds.begin(), kinds.end(), kind.name) != kinds.end())
      finders_.push_back(std::make_unique<Finder>(kind.name, kind.pattern, kind.fits));
}

PersonalData::~PersonalData() = default;

const std::vector<std::string>& PersonalData::kinds() {
  static const std::vector<std::string> names = {"email", "phone", "card", "ip"};
  return names;
}

std::map<std::string, std::int64_t> PersonalData::replace(task::Conversation& conversation) const {
  Replaced replaced;
  const auto in_text = [&](std::string& text) {
    for (const auto& finder : finders_)
      for (auto place = finder->find(text, 0); place;) {
        const std::string stands =
            replaced.placeholder(finder->name, text.substr(place->first, place->second - place->first));
        text.replace(place->first, place->second - place->first, stands);
        place = finder->find(text, place->first + stands.size());
      }
  };
  const auto in_json = [&](const auto& self, json& value) -> void {
    if (value.is_string()) {
      in_text(value.get_ref<std::string&>());
    } else if (value.is_structured()) {
      for (json& inner : value) self(self, inner);
    } else if (value.is_number_integer()) {
      const std::string text = value.dump();
      for (const auto& finder : finders_)
        if (finder->find(text, 0)) {
          ++replaced.counts[finder->name + " as a number, left"];
          break;
        }
    }
  };
  for (task::Message& message : conversation.messages) {
    in_text(message.content);
    for (task::IdentifiedCall& one : message.tool_calls) in_json(in_json, one.call.arguments);
  }
  in_json(in_json, conversation.metadata);
  return replaced.counts;
}

}  // namespace retort::data
