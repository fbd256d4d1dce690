// Where the parts of this installation lie, found from the library that this code is in, never from the environment or
// the current folder. Build tree and installed tree look alike: <libdir>/retort/{retort-plugin-scan,plugins/}.
#pragma once

#include <filesystem>

namespace retort::host {

/// The program that loads a library in place of this process. Throws std::runtime_error if it is missing.
std::filesystem::path scanner_executable();

/// <libdir>/retort/plugins; it may not exist.
std::filesystem::path installed_plugin_folder();

/// The file that holds this code: libretort-core.so, or an executable that the host layer is linked into.
std::filesystem::path core_library();

/// libretort-train.so of this installation; empty where there is none.
std::filesystem::path training_library();

}  // namespace retort::host
