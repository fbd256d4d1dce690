// Whether the arguments of a call fit the tool's schema: the one place that decides it, for the core and for plugins.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "schema/schema_check.h"

namespace retort::schema {

/// The properties that a schema names for an object, in "properties" of its own and of what applies to the same object
/// ($ref, allOf, anyOf, oneOf, if, then, else, dependentSchemas).
struct NamedProperties {
  std::set<std::string> names;
  std::vector<std::shared_ptr<const Pattern>> patterns;  ///< "patternProperties"
  bool open = false;                                     ///< whether one of them has "additionalProperties"

  bool allows(const std::string& name) const;
};
NamedProperties named_properties(const Schema& schema);

/// Used by one thread at a time.
class ArgumentSchema {
 public:
  /// `parameters`: a tool's JSON Schema, of type object. Throws std::invalid_argument: expected, found.
  explicit ArgumentSchema(nlohmann::json parameters);

  const nlohmann::json& parameters() const { return parameters_; }

  /// Why `arguments` are not valid for the tool `name` (unknown or missing argument, wrong type, not in the enum, out
  /// of range), or nothing. An argument that the schema does not name (NamedProperties::allows) is invalid.
  std::optional<std::string> invalid_reason(const std::string& name, const nlohmann::json& arguments) const;

 private:
  nlohmann::json parameters_;
  SchemaCheck check_;
  NamedProperties named_;
};

}  // namespace retort::schema
