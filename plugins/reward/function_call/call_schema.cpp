// Argument validation by valijson; only the messages are made here.
#include "call_schema.h"

#include <map>
#include <stdexcept>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

namespace retort::call_reward {
namespace {

using nlohmann::json;
using Adapter = valijson::adapters::NlohmannJsonAdapter;

struct Function {
  json properties = json::object();
  std::unique_ptr<valijson::Schema> schema;
};

std::string shown(const json& value) {
  constexpr std::size_t kLongest = 80;
  std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "…";
  return text;
}

Function compile(const json& tool, const std::string& where) {
  const auto object_at = [&](const json& parent, const char* key, const std::string& path) -> const json& {
    if (!parent.is_object() || !parent.contains(key)) {
      throw std::invalid_argument("tools" + path + ": expected an object with \"" + key + "\", found " + shown(parent));
    }
    return parent.at(key);
  };
  const json& function = object_at(tool, "function", where);
  if (!object_at(function, "name", where + "/function").is_string()) {
    throw std::invalid_argument("tools" + where + "/function/name: expected a string, found " +
                                shown(function["name"]));
  }
  Function compiled;
  const json parameters = function.value("parameters", json{{"type", "object"}});
  if (!parameters.is_object()) {
    throw std::invalid_argument("tools" + where + "/function/parameters: expected an object, found " +
                                shown(parameters));
  }
  compiled.properties = parameters.value("properties", json::object());
  compiled.schema = std::make_unique<valijson::Schema>();
  try {
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    parser.populateSchema(Adapter(parameters), *compiled.schema);
  } catch (const std::exception& error) {
    throw std::invalid_argument("tools" + where + "/function/parameters: not a JSON Schema: " + error.what());
  }
  return compiled;
}

/// valijson reports from the innermost failure outwards; the first that names a place inside the arguments is the most
/// helpful.
std::string first_error(valijson::ValidationResults& results) {
  valijson::ValidationResults::Error error;
  std::string message;
  while (results.popError(error)) {
    std::string place;
    for (std::size_t i = 1; i < error.context.size(); ++i) place += error.context[i];
    message = (place.empty() ? "arguments" : "argument " + place) + ": " + error.description;
    if (!place.empty()) break;
  }
  return message;
}

}  // namespace

struct CallSchema::State {
  std::map<std::string, Function> functions;
};

CallSchema::CallSchema(const json& tools) : state_(std::make_unique<State>()) {
  if (!tools.is_array()) throw std::invalid_argument("tools: expected an array, found " + shown(tools));
  for (std::size_t i = 0; i < tools.size(); ++i) {
    Function function = compile(tools[i], "/" + std::to_string(i));
    const std::string name = tools[i]["function"]["name"];
    if (!state_->functions.emplace(name, std::move(function)).second) {
      throw std::invalid_argument("tools/" + std::to_string(i) + ": expected distinct names, found \"" + name +
                                  "\" again");
    }
  }
}

CallSchema::~CallSchema() = default;
CallSchema::CallSchema(CallSchema&&) noexcept = default;
CallSchema& CallSchema::operator=(CallSchema&&) noexcept = default;

std::optional<std::string> CallSchema::invalid_reason(const std::string& name, const json& arguments) const {
  const auto found = state_->functions.find(name);
  if (found == state_->functions.end()) return "unknown tool \"" + name + "\"";
  if (!arguments.is_object()) return name + ": arguments: expected an object, found " + shown(arguments);
  for (const auto& argument : arguments.items()) {
    if (!found->second.properties.contains(argument.key())) {
      return name + ": unknown argument \"" + argument.key() + "\"";
    }
  }
  valijson::Validator validator(valijson::Validator::kStrongTypes);
  valijson::ValidationResults results;
  if (validator.validate(*found->second.schema, Adapter(arguments), &results)) return std::nullopt;
  return name + ": " + first_error(results) + " Found " + shown(arguments);
}

}  // namespace retort::call_reward
