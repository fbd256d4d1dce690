// JsonCursor and the strict parser for JSON from data.
#include "host/base/json_cursor.h"

#include <algorithm>
#include <cstdint>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

#include "host/base/json_integers.h"
#include "host/base/utf8.h"

namespace retort::host {
namespace {

using Json = nlohmann::json;

/// Escapes a key as RFC 6901 asks.
std::string pointer_token(const std::string& key) {
  std::string token;
  for (const char c : key) {
    if (c == '~')
      token += "~0";
    else if (c == '/')
      token += "~1";
    else
      token += c;
  }
  return token;
}

}  // namespace

JsonCursor::JsonCursor(const Json& json, std::string origin, std::string pointer)
    : json_(&json), origin_(std::move(origin)), pointer_(std::move(pointer)) {}

void JsonCursor::refuse(const std::string& expected) const {
  refuse(expected, excerpt(*json_));
}

void JsonCursor::refuse(const std::string& expected, const std::string& found) const {
  throw std::invalid_argument(origin_ + ": " + (pointer_.empty() ? "(the whole document)" : pointer_) + ": expected " +
                              expected + ", found " + found);
}

bool JsonCursor::has(const std::string& key) const {
  return json_->is_object() && json_->contains(key) && !json_->at(key).is_null();
}

JsonCursor JsonCursor::at(const std::string& key) const {
  object();
  const auto found = json_->find(key);
  if (found == json_->end()) refuse("an object with the key \"" + key + "\"");
  return JsonCursor(*found, origin_, pointer_ + "/" + pointer_token(key));
}

JsonCursor JsonCursor::at(std::size_t index) const {
  array();
  if (index >= json_->size()) refuse("an array of at least " + std::to_string(index + 1) + " values");
  return JsonCursor((*json_)[index], origin_, pointer_ + "/" + std::to_string(index));
}

const JsonCursor& JsonCursor::object() const {
  if (!json_->is_object()) refuse("an object");
  return *this;
}

const JsonCursor& JsonCursor::array() const {
  if (!json_->is_array()) refuse("an array");
  return *this;
}

std::string JsonCursor::string() const {
  if (!json_->is_string()) refuse("a string");
  return json_->get<std::string>();
}

bool JsonCursor::boolean() const {
  if (!json_->is_boolean()) refuse("true or false");
  return json_->get<bool>();
}

double JsonCursor::number() const {
  if (!json_->is_number()) refuse("a number");
  return json_->get<double>();
}

std::int64_t JsonCursor::integer(std::int64_t least, std::int64_t greatest) const {
  const std::string expected = "a whole number from " + std::to_string(least) + " to " + std::to_string(greatest);
  if (!json_->is_number_integer()) refuse(expected);
  // Above int64 the value is held unsigned and would wrap on conversion.
  if (json_->is_number_unsigned() && json_->get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX))
    refuse(expected);
  const auto value = json_->get<std::int64_t>();
  if (value < least || value > greatest) refuse(expected);
  return value;
}

std::string excerpt(const Json& json, std::size_t limit) {
  std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() <= limit) return text;
  std::size_t end = limit;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;  // not inside a character
  return text.substr(0, end) + "…";
}

Json parse_strict_json(std::string_view text, int greatest_depth) {
  std::vector<std::set<std::string>> open_keys;
  const auto watch = [&](int, Json::parse_event_t event, Json& parsed) {
    using Event = Json::parse_event_t;
    if (event == Event::object_start || event == Event::array_start) {
      if (static_cast<int>(open_keys.size()) >= greatest_depth)
        throw std::invalid_argument("nested deeper than " + std::to_string(greatest_depth) + " arrays and objects");
      open_keys.emplace_back();
    } else if (event == Event::object_end || event == Event::array_end) {
      open_keys.pop_back();
    } else if (event == Event::key && !open_keys.back().insert(parsed.get_ref<const std::string&>()).second) {
      throw std::invalid_argument("the key " + excerpt(parsed) + " stands twice in one object");
    }
    return true;
  };
  if (const auto integer = integer_beyond_64_bits(text); !integer.empty())
    throw std::invalid_argument("expected whole numbers of at most 64 bits, found " +
                                std::string(integer.substr(0, 40)) + ", which would be rounded; write it as a string");
  try {
    return Json::parse(text, watch);
  } catch (const Json::exception& error) {
    if (const std::string problem = utf8_problem(text); !problem.empty()) throw std::invalid_argument(problem);
    std::string reason = error.what();
    if (const auto end = reason.find("] "); end != std::string::npos) reason = reason.substr(end + 2);
    // Rows of a file are one line each, whose number the caller knows: only the column is left to say.
    constexpr std::string_view first_line = "parse error at line 1, ";
    if (reason.starts_with(first_line) && text.find('\n') == std::string_view::npos)
      reason = reason.substr(first_line.size());
    throw std::invalid_argument("not valid JSON: " + reason);
  }
}

}  // namespace retort::host
