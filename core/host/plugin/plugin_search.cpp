#include "host/plugin/plugin_search.h"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <sstream>

#include "host/base/installation.h"
#include "host/base/log.h"

namespace retort::host {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> folders_in_environment() {
  const char* value = std::getenv("RETORT_PLUGIN_PATH");
  if (value == nullptr) return {};
  std::vector<fs::path> folders;
  std::istringstream list(value);
  for (std::string entry; std::getline(list, entry, ':');) {
    // An empty or relative entry would mean the current folder, which may hold anything.
    if (!entry.empty() && entry.front() == '/')
      folders.emplace_back(entry);
    else if (!entry.empty())
      log_warning("RETORT_PLUGIN_PATH: '" + entry + "' is ignored: not an absolute path");
  }
  return folders;
}

fs::path user_folder() {
  const char* xdg = std::getenv("XDG_DATA_HOME");
  if (xdg != nullptr && xdg[0] == '/') return fs::path(xdg) / "retort" / "plugins";
  const char* home = std::getenv("HOME");
  if (home != nullptr && home[0] == '/') return fs::path(home) / ".local" / "share" / "retort" / "plugins";
  return {};
}

std::vector<fs::path> libraries_in(const fs::path& folder) {
  std::vector<fs::path> libraries;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    if (entry->path().extension() == ".so") libraries.push_back(entry->path());
  std::sort(libraries.begin(), libraries.end());
  return libraries;
}

fs::path resolved(const fs::path& path) {
  std::error_code error;
  fs::path canonical = fs::canonical(path, error);
  return error ? fs::absolute(path).lexically_normal() : canonical;
}

}  // namespace

std::vector<std::pair<fs::path, std::string>> search_folders(const SearchOptions& options) {
  std::vector<std::pair<fs::path, std::string>> folders;
  for (const fs::path& folder : options.folders) folders.emplace_back(fs::absolute(folder), "--plugin-path");
  if (!options.environment) return folders;
  for (const fs::path& folder : folders_in_environment()) folders.emplace_back(folder, "RETORT_PLUGIN_PATH");
  if (const fs::path folder = user_folder(); !folder.empty()) folders.emplace_back(folder, "user");
  folders.emplace_back(installed_plugin_folder(), "installed");
  return folders;
}

std::vector<fs::path> candidate_libraries(const SearchOptions& options) {
  std::vector<fs::path> candidates;
  std::set<fs::path> seen;
  const auto add = [&](const fs::path& path) {
    fs::path library = resolved(path);
    if (seen.insert(library).second) candidates.push_back(std::move(library));
  };
  for (const fs::path& library : options.libraries) add(library);
  for (const auto& [folder, reason] : search_folders(options))
    for (const fs::path& library : libraries_in(folder)) add(library);
  return candidates;
}

}  // namespace retort::host
