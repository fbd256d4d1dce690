#include "host/plugin/secrets.h"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <set>

#include "host/base/redaction.h"
#include "host/plugin/parameter_schema.h"
#include "host/plugin/plugin_error.h"

namespace retort::host {
namespace {

struct Allowed {
  std::mutex mutex;
  std::set<std::string> variables;
};

Allowed& allowed() {
  static auto* const all = new Allowed;  // plugins may ask until the process ends
  return *all;
}

retort_error* get(retort_string name, const retort_text_sink* value) {
  try {
    const std::string variable = to_std(name);
    Allowed& all = allowed();
    bool known = false;
    {
      const std::lock_guard lock(all.mutex);
      known = all.variables.count(variable) > 0;
    }
    const std::string reason =
        known ? missing_secret_reason(variable) : "is not named by a parameter of format secret-env of this run";
    if (!reason.empty())
      return host_services().error_new(RETORT_ERROR_RUNTIME,
                                       to_abi("the environment variable " + variable + " " + reason));
    const std::string secret = std::getenv(variable.c_str());
    redact(secret);
    value->write(value->context, to_abi(secret));
    return nullptr;
  } catch (const std::exception& error) {
    return host_services().error_new(RETORT_ERROR_RUNTIME, to_abi(error.what()));
  }
}

}  // namespace

bool is_variable_name(const std::string& text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !text.empty() && letter(text.front()) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

void allow_secrets(const Json& schema, const Json& parameters) {
  visit_format(schema, parameters, "secret-env", "", [](const std::string&, const std::string& variable, bool) {
    if (variable.empty()) return;
    if (const char* value = std::getenv(variable.c_str())) redact(value);
    Allowed& all = allowed();
    const std::lock_guard lock(all.mutex);
    all.variables.insert(variable);
  });
}

std::string missing_secret_reason(const std::string& variable) {
  const char* value = std::getenv(variable.c_str());
  return value == nullptr ? "is not set" : *value == '\0' ? "is empty" : "";
}

const retort_host_secrets_v1& secrets_table() {
  static const retort_host_secrets_v1 table = {RETORT_HOST_SECRETS_V1_SIZE, 0, get};
  return table;
}

}  // namespace retort::host
