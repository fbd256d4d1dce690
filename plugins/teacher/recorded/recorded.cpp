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
  const bool calls = message.contains("tool_calls") && !message["tool_calls"].empty();
  return {{"choices", {{{"message", message}, {"finish_reason", calls ? "tool_calls" : "stop"}}}},
          {"usage", {{"prompt_tokens", 0}, {"completion_tokens", 0}}}};
}

}  // namespace

void complete(std::string_view requests, const std::function<void(std::size_t, const std::string&)>& take) {
  const json parsed = json::parse(requests, nullptr, false);
  if (!parsed.is_array()) throw std::invalid_argument("teacher.recorded: expected a JSON array of chat requests");
  for (std::size_t i = 0; i < parsed.size(); ++i)
    take(i, replay(parsed[i]).dump(-1, ' ', false, json::error_handler_t::replace));
}

}  // namespace retort::recorded
