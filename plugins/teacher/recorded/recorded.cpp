// Copies recorded messages; judges nothing about them but that they are assistant messages.
#include "recorded.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

namespace retort::recorded {
namespace {

using nlohmann::json;

json replay(const json& request) {
  if (!request.is_object() || !request.contains("recorded") || request["recorded"].is_null()) {
    return {{"error", "expected \"recorded\": the assistant message of a trace; found none: the row is unlabelled"}};
  }
  const json& message = request["recorded"];
  if (!message.is_object() || message.value("role", json()) != "assistant") {
    return {{"error", "\"recorded\": expected an object with role \"assistant\""}};
  }
  return {{"message", message}, {"usage", {{"prompt_tokens", 0}, {"completion_tokens", 0}, {"total_tokens", 0}}}};
}

}  // namespace

std::string complete(std::string_view requests) {
  const json parsed = json::parse(requests, nullptr, false);
  if (!parsed.is_array()) throw std::invalid_argument("teacher.recorded: expected a JSON array of chat requests");
  json responses = json::array();
  for (const json& request : parsed) responses.push_back(replay(request));
  return responses.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace retort::recorded
