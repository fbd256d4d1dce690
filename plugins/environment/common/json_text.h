// JSON texts of worlds elsewhere: read, written, and shown in messages.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>

namespace retort::environments {

using Json = nlohmann::json;

/// Bytes that are not UTF-8 become U+FFFD.
inline std::string written(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// The begin of what a world wrote, fit for a message.
inline std::string shown(std::string_view text) {
  constexpr std::size_t longest_shown = 200;
  return written(Json(std::string(text.substr(0, longest_shown)))) + (text.size() > longest_shown ? "…" : "");
}

/// Throws std::invalid_argument for text that is not JSON: `what` was expected, found.
inline Json parsed(std::string_view text, const char* what) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) throw std::invalid_argument(std::string(what) + ": expected JSON, found " + shown(text));
  return json;
}

}  // namespace retort::environments
