// Copies recorded messages; judges nothing about them but that they are assistant messages.
#include "recorded.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <vector>

namespace retort::recorded {
namespace {

using nlohmann::json;

/// How often the answer is asked for; nothing where that is no number from 1 to 128.
std::optional<std::int64_t> asked_answers(const json& request) {
  const json n = request.value("n", json(1));
  if (!n.is_number_integer() || n.get<double>() < 1 || n.get<double>() > 128) return std::nullopt;
  return n.get<std::int64_t>();
}

json replay(const json& request) {
  if (!request.is_object() || !request.contains("recorded") || request["recorded"].is_null()) {
    return {{"error", "expected \"recorded\": the assistant message of a trace; found none: the row is unlabelled"}};
  }
  const json& message = request["recorded"];
  if (!message.is_object() || message.value("role", json()) != "assistant") {
    return {{"error", "\"recorded\": expected an object with role \"assistant\""}};
  }
  const auto n = asked_answers(request);
  if (!n) return {{"error", "\"n\": expected a number from 1 to 128"}};
  const bool calls = message.contains("tool_calls") && !message["tool_calls"].empty();
  const json choice = {{"message", message}, {"finish_reason", calls ? "tool_calls" : "stop"}};
  return {{"choices", std::vector<json>(static_cast<std::size_t>(*n), choice)},
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
