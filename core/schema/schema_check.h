// Whether a value fits a JSON Schema, and where and why not.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "schema/schema_document.h"

namespace retort::schema {

/// Where and why `value` violates `schema`, or nothing: "/room: …, found …". Of alternatives (anyOf), what the one says
/// that came farthest. "format" is an annotation and never violated. Recurses as deep as the value.
std::optional<std::string> violation(const Schema& schema, const Json& value);

/// The same without words.
bool fits(const Schema& schema, const Json& value);
/// The same but for $ref, allOf, anyOf, oneOf, not and if.
bool fits_own_keywords(const Schema& schema, const Json& value);

/// Used by one thread at a time.
class SchemaCheck {
 public:
  /// Throws as SchemaDocument.
  explicit SchemaCheck(const OrderedJson& schema) : document_(schema) {}
  std::optional<std::string> violation(const Json& value) const { return schema::violation(document_.root(), value); }
  const SchemaDocument& document() const { return document_; }

 private:
  SchemaDocument document_;
};

}  // namespace retort::schema
