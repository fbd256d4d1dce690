// Component parameters: JSON checked against the component's schema (the draft-07 subset of sdk/README.md: object,
// number, integer, string, boolean, array, enum, minimum, maximum, exclusiveMinimum, exclusiveMaximum, minItems,
// required, default, description, and `unit`), defaults filled in, and flattened for the ABI.
#pragma once

#include <retort/abi/base.h>

#include <deque>
#include <string>
#include <vector>

#include "host/diagnostic.h"
#include "host/json.h"

namespace retort::host {

/// Checks `parameters` and fills defaults in place. `pointer` is where they stand in the config. Appends every finding:
/// unknown key (with the nearest known one), wrong type, out of range, not in the enum, required and missing.
void validate_parameters(const Json& schema, Json& parameters, const std::string& pointer,
                         std::vector<Diagnostic>& diagnostics);

/// Why `schema` itself cannot be used, or "".
std::string invalid_schema_reason(const Json& schema);

/// The ABI's flat list; owns the strings that it points to.
class FlatParameters {
 public:
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
