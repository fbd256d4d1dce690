// ShareGPT's turns, Alpaca's instructions, xLAM's queries: one JSON object a row.
#include <algorithm>
#include <map>
#include <stdexcept>

#include "data/row_sources.h"
#include "host/base/json_cursor.h"

namespace retort::data {
namespace {

using host::JsonCursor;
using nlohmann::json;

json text_message(const char* role, const std::string& text) {
  return {{"role", role}, {"content", text}};
}

/// Calls as other forms write them: one or a list of {"name", "arguments" or "parameters"}, as JSON or as its text.
json calls_of(const JsonCursor& place) {
  json calls = place.json();
  if (calls.is_string()) {
    try {
      calls = host::parse_strict_json(calls.get<std::string>());
    } catch (const std::invalid_argument& error) {
      place.refuse("calls as JSON", std::string(error.what()));
    }
  }
  if (calls.is_object()) calls = json::array({calls});
  if (!calls.is_array()) place.refuse("a call or a list of calls");
  json list = json::array();
  for (json& call : calls) {
    if (call.is_object() && call.contains("function") && call["function"].is_object()) call = call["function"];
    if (!call.is_object() || !call.contains("name")) place.refuse("calls with a \"name\"", host::excerpt(call));
    json arguments = call.contains("arguments") ? call["arguments"] : call.value("parameters", json::object());
    if (arguments.is_null()) arguments = json::object();
    list.push_back({{"type", "function"}, {"function", {{"name", call["name"]}, {"arguments", arguments}}}});
  }
  return list;
}

const std::map<std::string, std::string>& speakers() {
  static const std::map<std::string, std::string> roles = {{"human", "user"},
                                                           {"user", "user"},
                                                           {"gpt", "assistant"},
                                                           {"assistant", "assistant"},
                                                           {"chatgpt", "assistant"},
                                                           {"bard", "assistant"},
                                                           {"model", "assistant"},
                                                           {"bing", "assistant"},
                                                           {"system", "system"},
                                                           {"tool", "tool"},
                                                           {"observation", "tool"},
                                                           {"function_response", "tool"},
                                                           {"function-response", "tool"},
                                                           {"ipython", "tool"},
                                                           {"function_call", "calls"},
                                                           {"function-call", "calls"},
                                                           {"tool_call", "calls"}};
  return roles;
}

/// Results of several calls may stand in one turn, as a list: one for each open call then.
void add_results(const JsonCursor& value, std::size_t open, json& messages) {
  const json whole = value.json().is_string() ? json::parse(value.string(), nullptr, false) : value.json();
  const std::string text = value.json().is_string() ? value.string() : value.json().dump();
  if (open > 1 && whole.is_array() && whole.size() == open) {
    for (const json& one : whole)
      messages.push_back(text_message("tool", one.is_string() ? one.get<std::string>() : one.dump()));
    return;
  }
  messages.push_back(text_message("tool", text));
}

/// "system" and "tools" beside the turns; what else the row has is its metadata.
json with_rest(const json& row, json messages, const std::vector<std::string>& read) {
  json result = {{"messages", std::move(messages)}};
  for (const auto& item : row.items())
    if (std::find(read.begin(), read.end(), item.key()) == read.end()) result[item.key()] = item.value();
  if (result.contains("tools") && (result["tools"] == "" || result["tools"] == "[]")) result.erase("tools");
  return result;
}

}  // namespace

json from_sharegpt(const json& row) {
  const JsonCursor root(row, "row");
  const bool messages_key = !root.object().has("conversations") && root.has("messages");
  const JsonCursor turns = root.at(messages_key ? "messages" : "conversations").array();
  json messages = json::array();
  if (root.has("system") && !root.at("system").string().empty())
    messages.push_back(text_message("system", root.at("system").string()));
  std::size_t open = 0;
  for (std::size_t i = 0; i < turns.size(); ++i) {
    const JsonCursor turn = turns.at(i).object();
    const JsonCursor from = turn.at(turn.has("from") ? "from" : "role");
    const auto role = speakers().find(from.string());
    if (role == speakers().end())
      from.refuse("a speaker such as human, gpt, system, function_call, observation or tool");
    const JsonCursor value = turn.at(turn.has("value") ? "value" : "content");
    if (role->second == "calls") {
      const json calls = calls_of(value);
      open = calls.size();
      messages.push_back({{"role", "assistant"}, {"content", nullptr}, {"tool_calls", calls}});
    } else if (role->second == "tool") {
      add_results(value, open, messages);
    } else {
      messages.push_back(text_message(role->second.c_str(), value.string()));
    }
  }
  return with_rest(row, std::move(messages), {"conversations", "messages", "system"});
}

json from_alpaca(const json& row) {
  const JsonCursor root(row, "row");
  json messages = json::array();
  if (root.object().has("system") && !root.at("system").string().empty())
    messages.push_back(text_message("system", root.at("system").string()));
  if (root.has("history")) {
    const JsonCursor history = root.at("history").array();
    for (std::size_t i = 0; i < history.size(); ++i) {
      const JsonCursor pair = history.at(i).array();
      if (pair.size() != 2) pair.refuse("a question and an answer");
      messages.push_back(text_message("user", pair.at(std::size_t{0}).string()));
      messages.push_back(text_message("assistant", pair.at(1).string()));
      messages.back()["weight"] = 0;
    }
  }
  const std::string input = root.has("input") ? root.at("input").string() : "";
  const std::string question = root.at("instruction").string() + (input.empty() ? "" : "\n" + input);
  messages.push_back(text_message("user", question));
  if (root.has("output")) messages.push_back(text_message("assistant", root.at("output").string()));
  return with_rest(row, std::move(messages), {"instruction", "input", "output", "system", "history", "text"});
}

json from_xlam(const json& row) {
  const JsonCursor root(row, "row");
  json messages = json::array({text_message("user", root.object().at("query").string())});
  const json calls = calls_of(root.at("answers"));
  if (calls.empty())
    messages.push_back(text_message("assistant", ""));
  else
    messages.push_back({{"role", "assistant"}, {"content", nullptr}, {"tool_calls", calls}});
  json result = with_rest(row, std::move(messages), {"query", "answers"});
  if (!result.contains("tools")) return result;
  // xLAM's parameters are {"name": {"type": "str, optional", …}}, without a schema around them.
  json tools =
      result["tools"].is_string() ? host::parse_strict_json(result["tools"].get<std::string>()) : result["tools"];
  static const std::map<std::string, std::string> types = {
      {"str", "string"}, {"string", "string"}, {"int", "integer"}, {"float", "number"}, {"bool", "boolean"},
      {"list", "array"}, {"List", "array"},    {"dict", "object"}, {"Dict", "object"}};
  for (json& tool : tools) {
    json parameters = tool.is_object() ? tool.value("parameters", json::object()) : json();
    if (!parameters.is_object() || parameters.value("type", json()) == "object") continue;
    json properties = json::object(), required = json::array();
    for (const auto& item : parameters.items()) {
      if (!item.value().is_object()) throw std::invalid_argument("row: /tools: expected parameters as objects");
      json property = item.value();
      const std::string type = property.value("type", json("")).is_string() ? property.value("type", "") : "";
      const bool optional = type.find("optional") != std::string::npos || property.contains("default");
      const std::string first = type.substr(0, type.find_first_of(",[ "));
      property.erase("type");
      if (const auto known = types.find(first); known != types.end()) property["type"] = known->second;
      if (!optional) required.push_back(item.key());
      properties[item.key()] = property;
    }
    tool["parameters"] = {{"type", "object"}, {"properties", properties}, {"required", required}};
  }
  result["tools"] = tools;
  return result;
}

}  // namespace retort::data
