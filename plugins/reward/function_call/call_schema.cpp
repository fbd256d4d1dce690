// Finds a call's tool and its schema.
#include "call_schema.h"

#include <stdexcept>

namespace retort::call_reward {
namespace {

using nlohmann::json;
using schema::excerpt;

void require_member(const json& parent, const char* key, const std::string& place) {
  if (!parent.is_object() || !parent.contains(key))
    throw std::invalid_argument("tools" + place + ": expected an object with \"" + key + "\", found " +
                                excerpt(parent));
}

std::unique_ptr<schema::ArgumentSchema> compile(const json& function, const std::string& place) {
  const json parameters = function.value("parameters", json{{"type", "object"}});
  try {
    return std::make_unique<schema::ArgumentSchema>(parameters);
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument("tools" + place + "/parameters: " + error.what() + " (tool " +
                                excerpt(function["name"]) + ")");
  }
}

}  // namespace

CallSchema::CallSchema(const json& tools) {
  if (!tools.is_array()) throw std::invalid_argument("tools: expected an array, found " + excerpt(tools));
  for (std::size_t i = 0; i < tools.size(); ++i) {
    const std::string place = "/" + std::to_string(i) + "/function";
    require_member(tools[i], "function", "/" + std::to_string(i));
    const json& function = tools[i]["function"];
    require_member(function, "name", place);
    const json& name = function["name"];
    if (!name.is_string())
      throw std::invalid_argument("tools" + place + "/name: expected a string, found " + excerpt(name));
    if (!functions_.emplace(name, compile(function, place)).second)
      throw std::invalid_argument("tools" + place + "/name: expected distinct names, found " + excerpt(name) +
                                  " again");
  }
}

std::optional<std::string> CallSchema::invalid_reason(const std::string& name, const json& arguments) const {
  const auto found = functions_.find(name);
  if (found == functions_.end()) return "unknown tool \"" + name + "\"";
  return found->second->invalid_reason(name, arguments);
}

}  // namespace retort::call_reward
