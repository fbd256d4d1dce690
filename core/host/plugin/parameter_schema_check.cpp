// Whether a component's schema can be used at all, and the smallest parameters that it accepts.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <stdexcept>

#include "host/plugin/parameter_schema.h"

namespace retort::host {
namespace {

constexpr int deepest = 16;

const std::set<std::string> common_keywords = {"type", "title", "description", "default", "unit", "enum", "examples"};
const std::set<std::string> formats = {"path-exists", "secret-env"};
const std::map<std::string, std::set<std::string>> keywords_of_type = {
    {"object", {"properties", "required", "additionalProperties", "$schema", "$id"}},
    {"array", {"items", "minItems", "maxItems"}},
    {"number", {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}},
    {"integer", {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}},
    {"string", {"format"}},
    {"boolean", {}},
};

[[noreturn]] void refuse(const std::string& place, const std::string& why) {
  throw std::invalid_argument((place.empty() ? "at the top" : "at " + place) + ": " + why);
}

void check(const Json& schema, const std::string& place, int depth, bool default_matters);

void check_object(const Json& schema, const std::string& place, int depth) {
  std::set<std::string> required;
  if (schema.contains("required")) {
    if (!schema.at("required").is_array()) refuse(place, "\"required\" is not an array of names");
    for (const Json& name : schema.at("required")) {
      if (!name.is_string() || !schema.contains("properties") || !schema.at("properties").is_object() ||
          !schema.at("properties").contains(name.get<std::string>()))
        refuse(place, "\"required\" names " + name.dump() + ", which \"properties\" does not declare");
      required.insert(name.get<std::string>());
    }
  }
  if (schema.contains("properties")) {
    if (!schema.at("properties").is_object()) refuse(place, "\"properties\" is not an object");
    for (const auto& [name, property] : schema.at("properties").items())
      check(property, place + "/" + pointer_step(name), depth + 1, required.count(name) == 0);
  }
  if (schema.contains("additionalProperties")) {
    const Json& additional = schema.at("additionalProperties");
    if (additional.is_object())
      check(additional, place + "/*", depth + 1, true);
    else if (!additional.is_boolean())
      refuse(place, "\"additionalProperties\" is neither a boolean nor a schema");
  }
}

void check_array(const Json& schema, const std::string& place, int depth) {
  if (!schema.contains("items")) refuse(place, "an array needs \"items\", the schema of its members");
  check(schema.at("items"), place + "/items", depth + 1, true);
  for (const char* bound : {"minItems", "maxItems"})
    if (schema.contains(bound) && !schema.at(bound).is_number_unsigned() &&
        !(schema.at(bound).is_number_integer() && schema.at(bound) >= 0))
      refuse(place, std::string("\"") + bound + "\" is not a count");
}

void check_number(const Json& schema, const std::string& place) {
  for (const char* bound : {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
    if (schema.contains(bound) && !schema.at(bound).is_number())
      refuse(place, std::string("\"") + bound + "\" is not a number");
  for (const char* low : {"minimum", "exclusiveMinimum"})
    for (const char* high : {"maximum", "exclusiveMaximum"})
      if (schema.contains(low) && schema.contains(high) && schema.at(low) > schema.at(high))
        refuse(place, std::string("\"") + low + "\" is above \"" + high + "\"");
}

void check_default(const Json& schema, const std::string& place) {
  const Json root = {{"type", "object"}, {"properties", {{"value", schema}}}};
  Json parameters = {{"value", schema.at("default")}};
  std::vector<Diagnostic> diagnostics;
  validate_parameters(root, parameters, "", diagnostics);
  if (!diagnostics.empty()) refuse(place, "the default does not pass its own schema: " + diagnostics[0].message);
}

/// `default_matters`: a default of a required parameter is never used, so it may be anything.
void check(const Json& schema, const std::string& place, int depth, bool default_matters) {
  if (depth > deepest) refuse(place, "nested deeper than " + std::to_string(deepest) + " levels");
  if (!schema.is_object()) refuse(place, "a schema is an object, found " + std::string(schema.type_name()));
  if (!schema.contains("type") || !schema.at("type").is_string()) refuse(place, "\"type\" is missing or not a string");
  const std::string type = schema.at("type");
  const auto own = keywords_of_type.find(type);
  if (own == keywords_of_type.end()) refuse(place, "unknown type \"" + type + "\"");
  for (const auto& [keyword, value] : schema.items())
    if (common_keywords.count(keyword) == 0 && own->second.count(keyword) == 0)
      refuse(place, "the keyword \"" + keyword + "\" of type \"" + type +
                        "\" is outside the subset that the host enforces (see sdk/README.md)");
  for (const char* text : {"description", "unit", "title", "format"})
    if (schema.contains(text) && !schema.at(text).is_string())
      refuse(place, std::string("\"") + text + "\" is not a string");
  if (schema.contains("enum") && (!schema.at("enum").is_array() || schema.at("enum").empty()))
    refuse(place, "\"enum\" is not a list of values");
  if (schema.contains("format") && formats.count(schema.at("format").get<std::string>()) == 0)
    refuse(place, "the format " + schema.at("format").dump() + " is neither \"path-exists\" nor \"secret-env\"");
  if (type == "object") check_object(schema, place, depth);
  if (type == "array") check_array(schema, place, depth);
  if (type == "number" || type == "integer") check_number(schema, place);
  if (schema.contains("default") && default_matters) check_default(schema, place);
}

Json least_number(const Json& schema, bool integer) {
  const bool above = schema.contains("exclusiveMinimum");
  const bool below = schema.contains("exclusiveMaximum");
  if (schema.contains("minimum") && !above) return schema.at("minimum");
  if (above) {
    const double bound = schema.at("exclusiveMinimum");
    if (integer) return static_cast<std::int64_t>(std::floor(bound)) + 1;
    const char* top = below ? "exclusiveMaximum" : schema.contains("maximum") ? "maximum" : nullptr;
    return top != nullptr ? (bound + schema.at(top).get<double>()) / 2 : bound + 1;
  }
  const double top = schema.contains("maximum") ? schema.at("maximum").get<double>()
                     : below                    ? schema.at("exclusiveMaximum").get<double>() - 1
                                                : 0.0;
  if (integer) return static_cast<std::int64_t>(std::min(0.0, std::floor(top)));
  return std::min(0.0, top);
}

Json least_value(const Json& schema) {
  const std::string type = schema.at("type");
  if (schema.contains("enum")) return schema.at("enum").at(0);
  if (type == "boolean") return false;
  if (type == "string") return "";
  if (type == "object") return least_parameters(schema);
  if (type == "array") {
    Json array = Json::array();
    for (std::size_t i = 0; i < schema.value("minItems", std::size_t{0}); ++i)
      array.push_back(least_value(schema.at("items")));
    return array;
  }
  return least_number(schema, type == "integer");
}

}  // namespace

std::string invalid_schema_reason(const Json& schema) {
  try {
    check(schema, "", 0, true);
    if (schema.at("type") != "object")
      return "at the top: parameters are an object, found type " + schema.at("type").dump();
    return "";
  } catch (const std::exception& error) {
    return error.what();
  }
}

bool has_defaults_for_all(const Json& schema) {
  return schema.value("required", Json::array()).empty();
}

Json least_parameters(const Json& schema) {
  Json parameters = Json::object();
  for (const Json& name : schema.value("required", Json::array())) {
    const std::string key = name;
    parameters[key] = least_value(schema.at("properties").at(key));
  }
  std::vector<Diagnostic> ignored;  // the schema decides what a least value can be; the component has the last word
  validate_parameters(schema, parameters, "", ignored);
  return parameters;
}

}  // namespace retort::host
