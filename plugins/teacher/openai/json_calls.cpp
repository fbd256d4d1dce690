// See json_calls.h.
#include "json_calls.h"

#include <string>

namespace retort::openai {
namespace {

using nlohmann::json;

json schema_of(const json& tools) {
  json calls = json::array();
  for (const json& tool : tools) {
    const json function = tool.is_object() ? tool.value("function", json::object()) : json::object();
    const json empty = {{"type", "object"}, {"properties", json::object()}};
    calls.push_back({{"type", "object"},
                     {"properties",
                      {{"name", {{"type", "string"}, {"enum", {function.value("name", json(""))}}}},
                       {"arguments", function.value("parameters", empty)}}},
                     {"required", {"name", "arguments"}},
                     {"additionalProperties", false}});
  }
  return {{"type", "object"},
          {"properties",
           {{"calls", {{"type", "array"}, {"items", {{"anyOf", std::move(calls)}}}}}, {"text", {{"type", "string"}}}}},
          {"required", {"calls", "text"}},
          {"additionalProperties", false}};
}

std::string description_of(const json& tools) {
  return "You can call functions. Answer with one JSON object {\"calls\": [{\"name\": …, \"arguments\": {…}}, …], "
         "\"text\": …}: the calls that do what is asked, in order, or no calls and a text. The functions:\n" +
         tools.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

void ask_for_json_calls(json& body) {
  if (!body.contains("tools")) return;
  const json tools = std::move(body["tools"]);
  body.erase("tools");
  body.erase("tool_choice");
  json& messages = body["messages"];
  if (messages[0].value("role", json()) == "system" && messages[0].value("content", json()).is_string())
    messages[0]["content"] = messages[0]["content"].get<std::string>() + "\n\n" + description_of(tools);
  else
    messages.insert(messages.begin(), json{{"role", "system"}, {"content", description_of(tools)}});
  body["response_format"] = {{"type", "json_schema"},
                             {"json_schema", {{"name", "calls"}, {"strict", true}, {"schema", schema_of(tools)}}}};
}

void read_json_calls(json& choice) {
  json& message = choice["message"];
  if (!message.contains("content") || !message["content"].is_string() || message.contains("tool_calls")) return;
  const json found = json::parse(message["content"].get_ref<const std::string&>(), nullptr, false);
  if (!found.is_object() || !found.contains("calls") || !found["calls"].is_array()) return;
  json calls = json::array();
  for (const json& call : found["calls"]) {
    if (!call.is_object() || !call.value("name", json()).is_string()) return;
    const std::string arguments =
        call.value("arguments", json::object()).dump(-1, ' ', false, json::error_handler_t::replace);
    calls.push_back({{"id", "call_" + std::to_string(calls.size())},
                     {"type", "function"},
                     {"function", {{"name", call["name"]}, {"arguments", arguments}}}});
  }
  const json text = found.value("text", json(""));
  message["content"] = text.is_string() ? text : json("");
  if (calls.empty()) return;
  message["tool_calls"] = std::move(calls);
  if (choice["finish_reason"] == "stop") choice["finish_reason"] = "tool_calls";
}

}  // namespace retort::openai
