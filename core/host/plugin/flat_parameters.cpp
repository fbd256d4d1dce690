// JSON parameters as the ABI's flat list of scalars.
#include <limits>
#include <stdexcept>

#include "host/plugin/parameter_schema.h"
#include "host/plugin/plugin_error.h"

namespace retort::host {

FlatParameters::FlatParameters(const Json& parameters) {
  if (parameters.is_null() || parameters.empty()) return;
  add("", parameters);
}

void FlatParameters::add(const std::string& path, const Json& value) {
  if (value.is_structured() && !value.empty()) {
    for (const auto& [key, member] : value.items()) add(path + "/" + pointer_step(key), member);
    return;
  }
  retort_parameter entry{};
  entry.struct_size = sizeof(retort_parameter);
  entry.path = to_abi(strings_.emplace_back(path));
  if (value.is_structured()) {
    entry.type = RETORT_PARAMETER_EMPTY;
  } else if (value.is_boolean()) {
    entry.type = RETORT_PARAMETER_BOOLEAN;
    entry.integer = value.get<bool>() ? 1 : 0;
  } else if (value.is_string()) {
    entry.type = RETORT_PARAMETER_STRING;
    entry.string = to_abi(strings_.emplace_back(value.get<std::string>()));
  } else if (value.is_number_float()) {
    entry.type = RETORT_PARAMETER_NUMBER;
    entry.number = value.get<double>();
  } else if (value.is_number_unsigned() &&
             value.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    throw std::invalid_argument("parameter " + path + ": " + value.dump() + " does not fit 64 bits with sign");
  } else if (value.is_number()) {
    entry.type = RETORT_PARAMETER_INTEGER;
    entry.integer = value.get<std::int64_t>();
    entry.number = static_cast<double>(entry.integer);
  } else {
    throw std::invalid_argument("parameter " + path + ": expected a value, found " + value.type_name());
  }
  entries_.push_back(entry);
}

}  // namespace retort::host
