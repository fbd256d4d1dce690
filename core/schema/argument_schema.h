// Whether the arguments of a call fit the tool's schema: the one place that decides it, for the core and for plugins.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "schema/schema_check.h"

namespace retort::schema {

/// Used by one thread at a time.
class ArgumentSchema {
 public:
  /// `parameters`: a tool's JSON Schema, of type object. Throws std::invalid_argument: expected, found.
  explicit ArgumentSchema(nlohmann::json parameters);

  const nlohmann::json& parameters() const { return parameters_; }

  /// Why `arguments` are not valid for the tool `name` (unknown or missing argument, wrong type, not in the enum, out
  /// of range), or nothing. An argument that the schema does not name is invalid, unless the schema says that others
  /// may come: "additionalProperties" or "patternProperties".
  std::optional<std::string> invalid_reason(const std::string& name, const nlohmann::json& arguments);

 private:
  nlohmann::json parameters_;
  SchemaCheck check_;
};

}  // namespace retort::schema
