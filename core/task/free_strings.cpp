// Walks values and schemas side by side.
#include "task/free_strings.h"

#include <algorithm>

namespace retort::task {
namespace {

using Json = nlohmann::json;
using Change = std::function<std::string(const std::string&)>;

bool is_free(const Json& schema) {
  if (!schema.is_object()) return true;
  for (const char* key : {"enum", "const", "pattern", "format"})
    if (schema.contains(key)) return false;
  return true;
}

Json schema_of(const Json& schema, const std::string& key) {
  return schema.is_object() && schema.contains(key) ? schema[key] : Json();
}

void change_value(Json& value, const Json& schema, const Change& change) {
  if (value.is_string() && is_free(schema)) value = change(value.get<std::string>());
  if (value.is_array())
    for (Json& item : value) change_value(item, schema_of(schema, "items"), change);
  if (value.is_object())
    for (auto& [key, item] : value.items()) change_value(item, schema_of(schema_of(schema, "properties"), key), change);
}

}  // namespace

void change_free_strings(std::vector<Call>& calls, const std::vector<Tool>& tools, const Change& change) {
  for (Call& call : calls) {
    const auto tool =
        std::find_if(tools.begin(), tools.end(), [&](const Tool& known) { return known.name == call.name; });
    change_value(call.arguments, tool == tools.end() ? Json() : tool->parameters, change);
  }
}

std::vector<std::string> free_strings(std::vector<Call> calls, const std::vector<Tool>& tools) {
  std::vector<std::string> found;
  change_free_strings(calls, tools, [&found](const std::string& text) {
    found.push_back(text);
    return text;
  });
  return found;
}

}  // namespace retort::task
