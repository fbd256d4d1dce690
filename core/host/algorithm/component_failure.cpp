#include "host/algorithm/component_failure.h"

#include <retort/host.hpp>
#include <stdexcept>

#include "host/base/numeric_environment.h"
#include "host/base/utf8.h"
#include "host/plugin/plugin_error.h"

namespace retort::host {

void throw_component_failure(retort_error* error, const std::string& what) {
  restore_floating_point(what);
  if (error == nullptr) return;
  const std::int32_t code = host_services().error_code(error);
  const std::string message = what + ": " + replace_invalid_utf8(to_std(host_services().error_message(error)));
  host_services().error_free(error);
  if (code == RETORT_ERROR_STOPPED) throw Stopped();
  if (code == RETORT_ERROR_INVALID_ARGUMENT) throw std::invalid_argument(message);
  throw std::runtime_error(message);
}

}  // namespace retort::host
