// See run_storage.h.
#include "host/run/run_storage.h"

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <stdexcept>

#include "host/plugin/host_extensions.h"
#include "host/plugin/plugin_error.h"

namespace retort::host {
namespace {

struct UnderWay {
  std::mutex mutex;
  std::filesystem::path storage;  ///< empty: no run
};

UnderWay& under_way() {
  static auto* const run = new UnderWay;  // plugins may ask until the process ends
  return *run;
}

bool is_name(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

retort_error* folder_of(retort_string name, const retort_text_sink* path) {
  try {
    const std::string text = to_std(name);
    if (!is_name(text))
      throw std::invalid_argument("storage: expected a name of letters, digits, \"_\" and \"-\", found \"" + text +
                                  "\"");
    UnderWay& run = under_way();
    const std::lock_guard lock(run.mutex);
    if (run.storage.empty()) return nullptr;
    const std::filesystem::path folder = run.storage / text;
    std::filesystem::create_directories(folder);
    path->write(path->context, to_abi(folder.native()));
    return nullptr;
  } catch (const std::exception& error) {
    return host_services().error_new(RETORT_ERROR_RUNTIME, to_abi(error.what()));
  }
}

const retort_host_storage_v1 table = {RETORT_HOST_STORAGE_V1_SIZE, 0, folder_of};

}  // namespace

RunStorage::RunStorage(const RunFolder& folder) {
  register_host_extension(RETORT_HOST_STORAGE_EXTENSION, &table);
  UnderWay& run = under_way();
  const std::lock_guard lock(run.mutex);
  run.storage = folder.path() / "storage";
}

RunStorage::~RunStorage() {
  UnderWay& run = under_way();
  const std::lock_guard lock(run.mutex);
  run.storage.clear();
}

}  // namespace retort::host
