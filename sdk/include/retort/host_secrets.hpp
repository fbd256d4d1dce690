// The value of a parameter of format secret-env (retort.host.secrets/1).
#pragma once

#include <retort/abi/host_secrets.h>

#include <retort/component.hpp>
#include <string>
#include <string_view>

namespace retort {

/// The value of the environment variable that the parameter names. Keep it in memory alone. Throws with the variable's
/// name where it is not set, and where this host offers no secrets.
inline std::string secret(std::string_view variable) {
  const auto* functions = host_extension<retort_host_secrets_v1>(RETORT_HOST_SECRETS_EXTENSION);
  if (functions == nullptr) throw std::runtime_error("this host does not offer " RETORT_HOST_SECRETS_EXTENSION);
  std::string value;
  const retort_text_sink sink = detail::sink_into(value);
  throw_if_error(functions->get(to_abi(variable), &sink));
  return value;
}

}  // namespace retort
