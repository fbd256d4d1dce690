#include "host/run/model_stand_in.h"

#include <filesystem>
#include <string>

#include "host/plugin/plugin_error.h"

namespace retort::host {
namespace {

retort_error* error(std::int32_t code, const std::string& message) {
  return host_services().error_new(code, to_abi(message));
}

/// There is nothing to know of a model here, so one place serves all.
retort_model* any_model() {
  static char place = 0;
  return reinterpret_cast<retort_model*>(&place);
}

retort_error* open(const retort_model_options* options, retort_model** out) {
  const std::string folder = to_std(options->folder);
  std::error_code ignored;
  if (!std::filesystem::exists(std::filesystem::path(folder) / "config.json", ignored))
    return error(RETORT_ERROR_RUNTIME, "'" + folder + "' holds no config.json: not a model");
  *out = any_model();
  return nullptr;
}

void close(retort_model*) {}

retort_error* refuse() {
  return error(RETORT_ERROR_RUNTIME, "models do not answer while a config is checked");
}

retort_error* describe(retort_model*, const retort_text_sink*) {
  return refuse();
}

retort_error* answer(retort_model*, retort_string, const retort_item_sink*) {
  return refuse();
}

}  // namespace

const retort_host_models_v1& model_stand_in() {
  static const retort_host_models_v1 table = {RETORT_HOST_MODELS_V1_SIZE, 0, open, close, describe, answer, answer};
  return table;
}

}  // namespace retort::host
