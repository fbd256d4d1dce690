// See argument_schema.h. The two most frequent mistakes get plainer words than a schema checker's.
#include "schema/argument_schema.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace retort::schema {
namespace {

Json require_object_schema(Json parameters) {
  if (!parameters.is_object() || parameters.value("type", Json()) != "object")
    throw std::invalid_argument("expected a JSON Schema of type \"object\", found " + excerpt(parameters));
  return parameters;
}

void add_names(const Schema& schema, NamedProperties& named, std::set<const Schema*>& seen) {
  if (!seen.insert(&schema).second) return;
  for (const auto& [name, part] : schema.properties) named.names.insert(name);
  if (schema.additional_properties != nullptr && !schema.additional_properties->never) named.open = true;
  for (const auto& [pattern, part] : schema.pattern_properties) named.patterns.push_back(pattern);
  std::vector<const Schema*> parts = {schema.reference, schema.condition, schema.then_schema, schema.else_schema};
  for (const auto* list : {&schema.all_of, &schema.any_of, &schema.one_of})
    parts.insert(parts.end(), list->begin(), list->end());
  for (const auto& [name, part] : schema.dependent_schemas) parts.push_back(part);
  for (const Schema* part : parts)
    if (part != nullptr) add_names(*part, named, seen);
}

}  // namespace

bool NamedProperties::allows(const std::string& name) const {
  return open || names.contains(name) ||
         std::any_of(patterns.begin(), patterns.end(), [&](const auto& pattern) { return pattern->search(name); });
}

NamedProperties named_properties(const Schema& schema) {
  NamedProperties named;
  std::set<const Schema*> seen;
  add_names(schema, named, seen);
  return named;
}

ArgumentSchema::ArgumentSchema(Json parameters)
    : parameters_(require_object_schema(std::move(parameters))),
      check_(OrderedJson(parameters_)),
      named_(named_properties(check_.document().root())) {}

std::optional<std::string> ArgumentSchema::invalid_reason(const std::string& name, const Json& arguments) const {
  if (!arguments.is_object()) return "arguments of " + name + ": expected an object, found " + excerpt(arguments);
  for (const auto& item : arguments.items()) {
    if (named_.allows(item.key())) continue;
    std::string known;
    for (const std::string& one : named_.names) known += (known.empty() ? "" : ", ") + one;
    return "unknown argument \"" + item.key() + "\" of " + name + " (it has: " + (known.empty() ? "none" : known) + ")";
  }
  for (const std::string& required : check_.document().root().required)
    if (!arguments.contains(required)) return name + " lacks the required argument \"" + required + "\"";
  const auto violation = check_.violation(arguments);
  if (!violation) return std::nullopt;
  return "arguments of " + name + ": " + *violation;
}

}  // namespace retort::schema
