// Reading of tools and calls, and the validity of a call.
#include "task/call.h"

#include <memory>
#include <set>
#include <stdexcept>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "host/base/json.h"
#include "host/base/json_cursor.h"
#include "schema/argument_schema.h"

namespace retort::task {

using host::JsonCursor;
using Json = nlohmann::json;

namespace {

constexpr std::size_t longest_name = 64;  // OpenAI's limit on function names

bool is_tool_name(const std::string& name) {
  constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
  return !name.empty() && name.size() <= longest_name && name.find_first_not_of(allowed) == std::string::npos;
}

bool is_object_schema(const Json& schema) {
  return schema.is_object() && schema.contains("type") && schema.at("type") == "object";
}

/// Compiled schemas of the tools seen by this thread. Calls come by the thousand for the same few tools, and compiling
/// costs far more than checking.
schema::ArgumentSchema& compiled(const Json& parameters) {
  constexpr std::size_t most_entries = 1024;
  thread_local std::unordered_multimap<std::size_t, std::unique_ptr<schema::ArgumentSchema>> entries;
  const std::size_t hash = std::hash<Json>()(parameters);
  const auto [first, last] = entries.equal_range(hash);
  for (auto entry = first; entry != last; ++entry)
    if (entry->second->parameters() == parameters) return *entry->second;
  if (entries.size() >= most_entries) entries.clear();
  return *entries.emplace(hash, std::make_unique<schema::ArgumentSchema>(parameters))->second;
}

Tool read_tool(const JsonCursor& json) {
  if (json.at("type").string() != "function") json.at("type").refuse("\"function\"");
  const JsonCursor function = json.at("function").object();
  Tool tool;
  tool.name = function.at("name").string();
  if (!is_tool_name(tool.name)) function.at("name").refuse("1 to 64 letters, digits, '_', '-' or '.'");
  if (function.has("description")) tool.description = function.at("description").string();
  tool.parameters = Json{{"type", "object"}, {"properties", Json::object()}};
  if (!function.has("parameters")) return tool;
  const JsonCursor parameters = function.at("parameters");
  if (!is_object_schema(parameters.json())) parameters.refuse("a JSON Schema of type \"object\"");
  if (parameters.has("properties")) parameters.at("properties").object();
  tool.parameters = parameters.json();
  try {
    compiled(tool.parameters);
  } catch (const std::invalid_argument& error) {
    parameters.refuse("a JSON Schema", error.what() + (" (tool \"" + tool.name + "\")"));
  }
  return tool;
}

}  // namespace

std::vector<Tool> tools_from_json(const Json& json, const std::string& origin) {
  const JsonCursor root(json, origin);
  std::vector<Tool> tools;
  std::set<std::string> names;
  for (std::size_t i = 0; i < root.array().size(); ++i) {
    tools.push_back(read_tool(root.at(i).object()));
    if (!names.insert(tools.back().name).second)
      root.at(i).at("function").at("name").refuse("each tool once", "\"" + tools.back().name + "\" twice");
  }
  return tools;
}

Json tools_to_json(const std::vector<Tool>& tools) {
  Json json = Json::array();
  for (const Tool& tool : tools)
    json.push_back(
        {{"type", "function"},
         {"function", {{"name", tool.name}, {"description", tool.description}, {"parameters", tool.parameters}}}});
  return json;
}

std::vector<Call> calls_from_json(const Json& json, const std::string& origin) {
  const JsonCursor root(json, origin);
  std::vector<Call> calls;
  for (std::size_t i = 0; i < root.array().size(); ++i) {
    const JsonCursor call = root.at(i);
    calls.push_back({call.at("name").string(), call.at("arguments").object().json()});
  }
  return calls;
}

Json calls_to_json(const std::vector<Call>& calls) {
  Json json = Json::array();
  for (const Call& call : calls) json.push_back({{"name", call.name}, {"arguments", call.arguments}});
  return json;
}

std::optional<std::string> invalid_reason(const Call& call, const std::vector<Tool>& tools) {
  const Tool* tool = nullptr;
  for (const Tool& candidate : tools)
    if (candidate.name == call.name) tool = &candidate;
  if (tool == nullptr) return "unknown tool \"" + call.name + "\"";
  return compiled(tool->parameters).invalid_reason(call.name, call.arguments);
}

std::vector<Tool> with_enums(std::vector<Tool> tools,
                             const std::map<std::string, std::map<std::string, std::vector<std::string>>>& enums) {
  for (Tool& tool : tools) {
    const auto replaced = enums.find(tool.name);
    if (replaced == enums.end()) continue;
    for (const auto& [argument, values] : replaced->second) {
      if (!tool.parameters.contains("properties") || !tool.parameters["properties"].contains(argument)) continue;
      Json* schema = &tool.parameters["properties"][argument];
      if (schema->is_object() && schema->contains("items")) schema = &(*schema)["items"];
      if (!schema->is_object()) *schema = Json::object();
      schema->erase("const");
      (*schema)["enum"] = values;
    }
  }
  return tools;
}

bool exact_match(const std::vector<Call>& found, const std::vector<Call>& expected) {
  return found == expected;
}

}  // namespace retort::task
