// retort.host.secrets/1: values of environment variables that parameters of format secret-env name. The names are in
// configs and records, the values nowhere.
#pragma once

#include <retort/abi/host_secrets.h>

#include <string>

#include "host/base/json.h"

namespace retort::host {

/// A name that an environment variable can have: letters, digits and "_", not first a digit.
bool is_variable_name(const std::string& text);

/// Lets plugins have the values of the variables that `parameters` name, and keeps those out of logs and records.
/// [any-thread]
void allow_secrets(const Json& schema, const Json& parameters);

/// Why get() would refuse the variable, without its value; or "". [any-thread]
std::string missing_secret_reason(const std::string& variable);

/// The extension's table. [any-thread]
const retort_host_secrets_v1& secrets_table();

}  // namespace retort::host
