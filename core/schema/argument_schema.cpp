// See argument_schema.h. The two most frequent mistakes get plainer words than a schema checker's.
#include "schema/argument_schema.h"

#include <stdexcept>
#include <utility>

namespace retort::schema {
namespace {

using Json = nlohmann::json;

Json require_object_schema(Json parameters) {
  if (!parameters.is_object() || parameters.value("type", Json()) != "object")
    throw std::invalid_argument("expected a JSON Schema of type \"object\", found " + excerpt(parameters));
  if (parameters.contains("properties") && !parameters["properties"].is_object())
    throw std::invalid_argument("\"properties\": expected an object, found " + excerpt(parameters["properties"]));
  return parameters;
}

/// The schema that decides: an argument that it does not name is invalid, unless it says that others may come.
Json strict(Json parameters) {
  if (!parameters.contains("additionalProperties")) parameters["additionalProperties"] = false;
  return parameters;
}

std::string names_of(const Json& properties) {
  std::string names;
  for (const auto& item : properties.items()) names += (names.empty() ? "" : ", ") + item.key();
  return names.empty() ? "none" : names;
}

/// The value of `key`, or nullptr.
const Json* member(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

/// The two most frequent mistakes, in plainer words than the schema checker's.
std::optional<std::string> wrong_argument_names(const std::string& tool, const Json& arguments,
                                                const Json& parameters) {
  static const Json nothing = Json::object();
  const Json* named = member(parameters, "properties");
  const Json& properties = named != nullptr ? *named : nothing;
  const Json* others = member(parameters, "additionalProperties");
  if ((others == nullptr || *others == false) && member(parameters, "patternProperties") == nullptr)
    for (const auto& item : arguments.items())
      if (!properties.contains(item.key()))
        return "unknown argument \"" + item.key() + "\" of " + tool + " (it has: " + names_of(properties) + ")";
  const Json* required = member(parameters, "required");
  if (required == nullptr || !required->is_array()) return std::nullopt;
  for (const Json& name : *required)
    if (name.is_string() && !arguments.contains(name.get_ref<const std::string&>()))
      return tool + " lacks the required argument \"" + name.get<std::string>() + "\"";
  return std::nullopt;
}

}  // namespace

ArgumentSchema::ArgumentSchema(Json parameters)
    : parameters_(require_object_schema(std::move(parameters))), check_(strict(parameters_)) {}

std::optional<std::string> ArgumentSchema::invalid_reason(const std::string& name, const Json& arguments) {
  if (!arguments.is_object()) return "arguments of " + name + ": expected an object, found " + excerpt(arguments);
  if (auto reason = wrong_argument_names(name, arguments, parameters_)) return reason;
  const auto violation = check_.violation(arguments);
  if (!violation) return std::nullopt;
  return "arguments of " + name + ": " + *violation;
}

}  // namespace retort::schema
