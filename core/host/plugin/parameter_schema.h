// Component parameters: JSON checked against the component's schema (the draft-07 subset of sdk/README.md: object,
// number, integer, string, boolean, array, enum, minimum, maximum, exclusiveMinimum, exclusiveMaximum, minItems,
// maxItems, required, additionalProperties, default, description, format and `unit`), defaults filled in, and
// flattened for the ABI.
#pragma once

#include <retort/abi/base.h>

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "host/base/diagnostic.h"
#include "host/base/json.h"

namespace retort::host {

/// Checks `parameters` and fills defaults in place; a whole number given for a "number" becomes a floating-point one,
/// so that 2 and 2.0 are the same parameters. `pointer` is where they stand in the config. Appends every finding:
/// unknown key (with the nearest known one), wrong type, out of range, not in the enum, required and missing.
void validate_parameters(const Json& schema, Json& parameters, const std::string& pointer,
                         std::vector<Diagnostic>& diagnostics);

/// Why `schema` itself cannot be used, or "". A keyword that the host would not enforce is a reason.
std::string invalid_schema_reason(const Json& schema);

/// Whether {} passes: nothing is required.
bool has_defaults_for_all(const Json& schema);

/// The smallest parameters that pass: defaults, and for what is required the least value of its type. Only good for
/// asking an instance what does not depend on its parameters.
Json least_parameters(const Json& schema);

/// Calls `visit(pointer, value, required)` for every string of `value` whose schema has this "format"; `required` says
/// that the schema does not let it be left out or empty: no default, or one that says something. `pointer` is where
/// `value` stands.
void visit_format(const Json& schema, const Json& value, const std::string& format, const std::string& pointer,
                  const std::function<void(const std::string&, const std::string&, bool)>& visit);

/// `key` as a step of a JSON pointer: "~" and "/" escaped (RFC 6901).
std::string pointer_step(const std::string& key);

/// The ABI's flat list; owns the strings that it points to.
class FlatParameters {
 public:
  /// Throws std::invalid_argument for null and for integers beyond 64 bits.
  explicit FlatParameters(const Json& parameters);
  FlatParameters(const FlatParameters&) = delete;
  FlatParameters& operator=(const FlatParameters&) = delete;
  const retort_parameter* data() const { return entries_.data(); }
  std::size_t size() const { return entries_.size(); }

 private:
  void add(const std::string& path, const Json& value);
  std::deque<std::string> strings_;
  std::vector<retort_parameter> entries_;
};

}  // namespace retort::host
