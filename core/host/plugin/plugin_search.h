// Which files are looked at for plugins, and in which order. Loads and scans nothing.
#pragma once

#include <filesystem>
#include <vector>

#include "host/plugin/registry.h"

namespace retort::host {

/// Absolute paths with symbolic links resolved, each once, in search order: the files that the options name (existing
/// or not), then every *.so of every search folder, by name.
std::vector<std::filesystem::path> candidate_libraries(const SearchOptions& options);

}  // namespace retort::host
