// --set key.key=value.
#include <algorithm>
#include <charconv>

#include "host/base/foreign_json.h"
#include "host/base/utf8.h"
#include "host/config/config.h"

namespace retort::host {
namespace {

std::vector<std::string> split_at_dots(const std::string& path) {
  std::vector<std::string> keys{""};
  for (const char c : path) {
    if (c == '.')
      keys.emplace_back();
    else
      keys.back() += c;
  }
  return keys;
}

/// The member of `array` with that index or that "name", or NULL.
Json* find_member(Json& array, const std::string& key) {
  for (Json& member : array)
    if (member.is_object() && member.value("name", Json()) == Json(key)) return &member;
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
  const bool is_index = error == std::errc() && end == key.data() + key.size() && index < array.size();
  return is_index ? &array[index] : nullptr;
}

std::string member_names(const Json& array) {
  std::string names;
  for (const Json& member : array)
    if (member.is_object() && member.contains("name") && member["name"].is_string())
      names += (names.empty() ? "" : ", ") + member["name"].get<std::string>();
  return names.empty() ? "it has " + std::to_string(array.size()) + " members" : "known: " + names;
}

Json parse_value(const std::string& text) {
  std::optional<Json> value = try_parse_json(text);
  return value ? std::move(*value) : Json(text);
}

}  // namespace

void apply_override(Json& document, const std::string& override_text, std::vector<Diagnostic>& diagnostics) {
  if (replace_invalid_utf8(override_text) != override_text) {
    diagnostics.push_back({"", "--set: expected UTF-8, found '" + replace_invalid_utf8(override_text) + "'", ""});
    return;
  }
  const std::size_t equals = override_text.find('=');
  const std::string path = override_text.substr(0, equals);
  std::vector<std::string> keys = split_at_dots(path);
  const bool empty_key = std::find(keys.begin(), keys.end(), "") != keys.end();
  if (equals == std::string::npos || empty_key) {
    diagnostics.push_back({"", "--set '" + override_text + "': expected key=value or key.key=value", ""});
    return;
  }
  // The short form: a stage's name, unless a top-level key has that name.
  const auto stages = document.find("stages");
  if (!document.contains(keys[0]) && stages != document.end() && stages->is_array() &&
      find_member(*stages, keys[0]) != nullptr && keys.size() > 1)
    keys.insert(keys.begin(), "stages");

  Json* place = &document;
  std::string pointer;
  for (const std::string& key : keys) {
    if (place->is_array()) {
      Json* member = find_member(*place, key);
      if (member == nullptr) {
        diagnostics.push_back(
            {pointer, "--set '" + override_text + "': no member \"" + key + "\" here", member_names(*place)});
        return;
      }
      pointer = pointer_to(pointer, static_cast<std::size_t>(member - &(*place)[0]));
      place = member;
    } else if (place->is_object() || place->is_null()) {
      place = &(*place)[key];
      pointer = pointer_to(pointer, key);
    } else {
      diagnostics.push_back(
          {pointer, "--set '" + override_text + "': \"" + key + "\" is asked of " + place->dump() + ", not an object",
           ""});
      return;
    }
  }
  *place = parse_value(override_text.substr(equals + 1));
}

}  // namespace retort::host
