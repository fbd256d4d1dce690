// See tool_derivation.h.
#include "data/tool_derivation.h"

#include <algorithm>

namespace retort::data {
namespace {

using nlohmann::json;

const char* type_of(const json& value) {
  if (value.is_boolean()) return "boolean";
  if (value.is_number_integer()) return "integer";
  if (value.is_number()) return "number";
  if (value.is_array()) return "array";
  if (value.is_object()) return "object";
  return value.is_null() ? "null" : "string";
}

json schema_of(std::set<std::string> types) {
  if (types.contains("number")) types.erase("integer");
  if (types.erase("array") > 0) {
    // "[]" marks what stood in lists; a single value beside lists is a list of one.
    std::set<std::string> items;
    for (const std::string& type : types) items.insert(type.starts_with("[]") ? type.substr(2) : type);
    json schema = {{"type", "array"}};
    if (items.size() == 1) schema["items"] = {{"type", *items.begin()}};
    return schema;
  }
  if (types.size() == 1) return {{"type", *types.begin()}};
  return {{"type", json(types)}};
}

}  // namespace

void ToolDerivation::take(const task::Call& call) {
  auto& arguments = seen_[call.name];
  for (const auto& argument : call.arguments.items()) {
    auto& types = arguments[argument.key()];
    types.insert(type_of(argument.value()));
    if (argument.value().is_array())
      for (const json& item : argument.value()) types.insert(std::string("[]") + type_of(item));
  }
}

std::vector<task::Tool> ToolDerivation::tools() const {
  std::vector<task::Tool> tools;
  for (const auto& [name, arguments] : seen_) {
    json properties = json::object();
    for (const auto& [argument, types] : arguments) properties[argument] = schema_of(types);
    tools.push_back({name,
                     "",
                     {{"type", "object"},
                      {"properties", std::move(properties)},
                      {"required", json::array()},
                      {"additionalProperties", false}}});
  }
  return tools;
}

void ToolUnion::take(const task::ToolSet& tools) {
  if (tools == last_) return;  // rows that name the same tools share them
  last_ = tools;
  for (const task::Tool& tool : *tools) {
    const auto [place, fresh] = places_.emplace(tool.name, tools_.size());
    if (fresh)
      tools_.push_back(tool);
    else if (!(tools_[place->second] == tool))
      join(tools_[place->second], tool);
  }
}

void ToolUnion::join(task::Tool& known, const task::Tool& other) {
  json& properties = known.parameters["properties"];
  const json theirs = other.parameters.value("properties", json::object());
  for (const auto& item : theirs.items()) {
    if (!properties.contains(item.key())) {
      properties[item.key()] = item.value();
      continue;
    }
    json& property = properties[item.key()];
    if (property == item.value() || !property.is_object() || !property.contains("enum")) continue;
    if (!item.value().is_object() || !item.value().contains("enum")) {
      property.erase("enum");
      continue;
    }
    for (const json& value : item.value()["enum"])
      if (std::find(property["enum"].begin(), property["enum"].end(), value) == property["enum"].end())
        property["enum"].push_back(value);
  }
  json required = json::array();
  const json others = other.parameters.value("required", json::array());
  for (const json& name : known.parameters.value("required", json::array()))
    if (std::find(others.begin(), others.end(), name) != others.end()) required.push_back(name);
  known.parameters["required"] = required;
}

std::int64_t with_lists(task::Conversation& conversation, const std::vector<task::Tool>& tools) {
  std::int64_t changed = 0;
  for (task::Message& message : conversation.messages)
    for (task::IdentifiedCall& one : message.tool_calls) {
      const auto tool = std::find_if(tools.begin(), tools.end(),
                                     [&](const task::Tool& known) { return known.name == one.call.name; });
      if (tool == tools.end()) continue;
      const json& properties = tool->parameters.at("properties");
      for (auto& [argument, value] : one.call.arguments.items())
        if (!value.is_array() && properties.contains(argument) &&
            properties[argument].value("type", json()) == "array") {
          value = json::array({value});
          ++changed;
        }
    }
  return changed;
}

}  // namespace retort::data
