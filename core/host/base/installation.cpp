#include "host/base/installation.h"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

namespace retort::host {
namespace {

std::filesystem::path own_file() {
  Dl_info info{};
  void* found = nullptr;
  if (::dladdr1(reinterpret_cast<const void*>(&installed_plugin_folder), &info, &found, RTLD_DL_LINKMAP) != 0) {
    const auto* map = static_cast<const link_map*>(found);
    // The main program's name is empty, and dli_fname is then argv[0], which anyone can set.
    if (map->l_name != nullptr && map->l_name[0] != '\0') return std::filesystem::canonical(map->l_name);
  }
  return std::filesystem::canonical("/proc/self/exe");
}

const std::filesystem::path& private_folder() {
  static const std::filesystem::path folder = [] {
    const std::filesystem::path own = own_file().parent_path();
    for (const auto& candidate : {own / "retort", own.parent_path() / "lib" / "retort"})
      if (std::filesystem::exists(candidate / "retort-plugin-scan")) return candidate;
    return own / "retort";
  }();
  return folder;
}

}  // namespace

std::filesystem::path scanner_executable() {
  std::filesystem::path executable = private_folder() / "retort-plugin-scan";
  if (!std::filesystem::exists(executable))
    throw std::runtime_error("cannot scan plugins: '" + executable.string() +
                             "' is missing; reinstall Retort, it belongs beside its library");
  return executable;
}

std::filesystem::path core_library() {
  static const std::filesystem::path file = own_file();
  return file;
}

std::filesystem::path training_library() {
  static const std::filesystem::path file = [] {
    std::vector<std::filesystem::path> found;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(private_folder().parent_path(), ignored))
      if (entry.path().filename().string().starts_with("libretort-train.so")) found.push_back(entry.path());
    return found.empty() ? std::filesystem::path() : *std::min_element(found.begin(), found.end());
  }();
  return file;
}

std::filesystem::path installed_plugin_folder() {
  return private_folder() / "plugins";
}

}  // namespace retort::host
