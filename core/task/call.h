// One function call, the tools that may be called, and when two lists of calls are the same.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace retort::task {

/// {"name": …, "arguments": {…}}
struct Call {
  std::string name;
  nlohmann::json arguments = nlohmann::json::object();
  bool operator==(const Call&) const = default;
};

/// One function of the OpenAI `tools` list: {"type": "function", "function": {"name", "description", "parameters"}}.
struct Tool {
  std::string name;
  std::string description;
  nlohmann::json parameters;  ///< JSON Schema of type object
  bool operator==(const Tool&) const = default;
};

/// Reads the OpenAI `tools` array. Throws std::invalid_argument: origin, JSON pointer, expected, found.
std::vector<Tool> tools_from_json(const nlohmann::json& json, const std::string& origin);
nlohmann::json tools_to_json(const std::vector<Tool>& tools);

std::vector<Call> calls_from_json(const nlohmann::json& json, const std::string& origin);  ///< array of calls
nlohmann::json calls_to_json(const std::vector<Call>& calls);

/// Why `call` is not a valid call of one of `tools` (unknown tool, unknown or missing argument, wrong type, not in the
/// enum, out of range), or nothing if it is.
std::optional<std::string> invalid_reason(const Call& call, const std::vector<Tool>& tools);

/// The tools with other values for some arguments: {tool: {argument: values}} replace the argument's "enum" (of its
/// items, where it is a list) and "const". Names that no tool has are passed over.
std::vector<Tool> with_enums(std::vector<Tool> tools,
                             const std::map<std::string, std::map<std::string, std::vector<std::string>>>& enums);

/// The metric "exact match": the same calls in the same order, argument objects equal as JSON values.
bool exact_match(const std::vector<Call>& found, const std::vector<Call>& expected);

}  // namespace retort::task
