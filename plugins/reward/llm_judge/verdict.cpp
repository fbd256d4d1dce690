// See verdict.h.
#include "verdict.h"

#include <cctype>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

namespace retort::llm_judge {
namespace {

using nlohmann::json;

constexpr std::size_t longest_excerpt = 120;
constexpr std::size_t longest_text = 16384;  ///< the end of a longer one is read: the search for objects is quadratic

std::string shown(std::string_view text) {
  const std::string excerpt(text.substr(0, longest_excerpt));
  return json(excerpt).dump(-1, ' ', false, json::error_handler_t::replace) +
         (text.size() > longest_excerpt ? "…" : "");
}

Verdict malformed(const std::string& reason) {
  return {0.0, "", reason};
}

Verdict bounded(double score, std::string reason) {
  if (!(score >= 0.0 && score <= 1.0)) return malformed("expected a score in [0, 1], found " + json(score).dump());
  return {score, std::move(reason), ""};
}

/// The end of the object that begins at `begin`, one past its '}'; npos where it does not end. Knows strings.
std::size_t end_of_object(std::string_view text, std::size_t begin) {
  std::size_t depth = 0;
  bool quoted = false;
  for (std::size_t i = begin; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{') {
      ++depth;
    } else if (c == '}' && --depth == 0) {
      return i + 1;
    }
  }
  return std::string_view::npos;
}

std::optional<json> last_object_with_score(std::string_view text) {
  for (std::size_t begin = text.rfind('{'); begin != std::string_view::npos;
       begin = begin == 0 ? std::string_view::npos : text.rfind('{', begin - 1)) {
    const std::size_t end = end_of_object(text, begin);
    if (end == std::string_view::npos) continue;
    json object = json::parse(text.substr(begin, end - begin), nullptr, false);
    if (object.is_object() && object.contains("score")) return object;
  }
  return std::nullopt;
}

bool in_number(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-' || c == '+';
}

/// Runs of digits, with their point, sign and exponent.
std::vector<std::string> numbers_in(std::string_view text) {
  std::vector<std::string> numbers;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (std::isdigit(static_cast<unsigned char>(text[i])) == 0) continue;
    std::size_t begin = i;
    while (begin > 0 && in_number(text[begin - 1])) --begin;
    while (i < text.size() && (in_number(text[i]) || text[i] == 'e' || text[i] == 'E')) ++i;
    std::string number(text.substr(begin, i - begin));
    while (!number.empty() && std::isdigit(static_cast<unsigned char>(number.back())) == 0) number.pop_back();
    if (number.front() == '.') number.insert(0, "0");
    numbers.push_back(std::move(number));
  }
  return numbers;
}

}  // namespace

Verdict read_verdict(std::string_view text) {
  if (text.size() > longest_text) text.remove_prefix(text.size() - longest_text);
  if (const auto object = last_object_with_score(text)) {
    const json& score = (*object)["score"];
    if (!score.is_number()) return malformed("expected a number as \"score\", found " + shown(score.dump()));
    const json reason = object->value("reason", json(""));
    return bounded(score.get<double>(), reason.is_string() ? reason.get<std::string>() : "");
  }
  const std::vector<std::string> numbers = numbers_in(text);
  if (numbers.size() != 1) return malformed("expected a score in [0, 1] alone or as JSON, found " + shown(text));
  const json number = json::parse(numbers[0], nullptr, false);
  if (!number.is_number()) return malformed("expected a score in [0, 1], found " + shown(numbers[0]));
  return bounded(number.get<double>(), "");
}

}  // namespace retort::llm_judge
