// See masking.h.
#include "masking.h"

#include <memory>
#include <set>
#include <utility>

namespace retort::stages {
namespace {

using nlohmann::json;

/// A name that is not used yet, such as "qzkpvw".
std::string random_name(Draws& draws, std::set<std::string>& used) {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz";
  while (true) {
    std::string name;
    for (std::size_t length = 4 + draws.below(5); name.size() < length;) name += letters[draws.below(letters.size())];
    if (used.insert(name).second) return name;
  }
}

struct Renamed {
  std::string tool;
  std::map<std::string, std::string> arguments;
};

/// The tool under its new names; `names` keeps what became what.
task::Tool masked_tool(task::Tool tool, Draws& draws, std::set<std::string>& used, Renamed& names) {
  names.tool = tool.name;
  if (!tool.description.empty()) tool.name = names.tool = random_name(draws, used);
  const json properties = tool.parameters.value("properties", json::object());
  json masked = json::object();
  for (const auto& item : properties.items()) {
    const bool described = item.value().is_object() && !item.value().value("description", json("")).empty() &&
                           item.value().value("description", json("")) != "";
    std::set<std::string> siblings = used;
    const std::string name = described ? random_name(draws, siblings) : item.key();
    if (described) used.insert(name);
    names.arguments[item.key()] = name;
    masked[name] = item.value();
  }
  tool.parameters["properties"] = masked;
  if (tool.parameters.contains("required"))
    for (json& name : tool.parameters["required"])
      if (const auto known = names.arguments.find(name.is_string() ? name.get<std::string>() : "");
          known != names.arguments.end())
        name = known->second;
  return tool;
}

}  // namespace

std::size_t mask_names(task::Conversation& conversation, Draws& draws) {
  std::set<std::string> used;
  for (const task::Tool& tool : *conversation.tools) used.insert(tool.name);
  std::map<std::string, Renamed> renamed;
  std::vector<task::Tool> tools;
  std::size_t count = 0;
  for (const task::Tool& tool : *conversation.tools) {
    Renamed& names = renamed[tool.name];
    tools.push_back(masked_tool(tool, draws, used, names));
    count += names.tool != tool.name ? 1 : 0;
    for (const auto& [before, after] : names.arguments) count += before != after ? 1 : 0;
  }
  conversation.tools = std::make_shared<const std::vector<task::Tool>>(std::move(tools));
  for (task::Message& message : conversation.messages)
    for (task::IdentifiedCall& one : message.tool_calls) {
      const Renamed& names = renamed.at(one.call.name);
      one.call.name = names.tool;
      json arguments = json::object();
      for (const auto& item : one.call.arguments.items()) {
        const auto name = names.arguments.find(item.key());
        arguments[name == names.arguments.end() ? item.key() : name->second] = item.value();
      }
      one.call.arguments = arguments;
    }
  return count;
}

void shuffle_tools(task::Conversation& conversation, Draws& draws) {
  std::vector<task::Tool> tools = *conversation.tools;
  draws.shuffle(tools);
  conversation.tools = std::make_shared<const std::vector<task::Tool>>(std::move(tools));
}

}  // namespace retort::stages
