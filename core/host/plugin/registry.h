// Finds plugins, knows their components without loading them, and makes instances. The only user of Boost.DLL is
// plugin_library.cpp behind this. A scan survives a library that crashes or hangs; a component that crashes once it is
// loaded ends this process.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/base/json.h"
#include "host/plugin/component.h"
#include "host/plugin/plugin_trust.h"

namespace retort::host {

/// What a scan found out about one library.
struct PluginInfo {
  std::filesystem::path library;
  std::string name, version, license;
  std::uint32_t abi_major = 0, abi_minor = 0;
  std::vector<ComponentInfo> components;
  std::string refusal;  ///< why it cannot be used: not a library, no entry symbol, ABI, crash, time limit, writable by
                        ///< others; empty: usable
  FileIdentity file;    ///< that was scanned
};

struct SearchOptions {
  std::vector<std::filesystem::path> libraries;  ///< files named in the config (relative to it, made absolute)
  std::vector<std::filesystem::path> folders;    ///< --plugin-path, in order
  bool environment = true;                    ///< RETORT_PLUGIN_PATH, the user's XDG data folder, the installed folder
  bool allow_writable = false;                ///< accept libraries and folders that group or others can write to
  std::map<std::string, std::string> sha256;  ///< pins: resolved path → required hash
  double scan_seconds = 30;                   ///< per library, before it is quarantined
  std::filesystem::path cache_folder;         ///< scan cache; empty: XDG cache folder /retort
};

class Registry {
 public:
  /// Scans (in a child process per library, or from the cache) without loading anything in this process. Never throws
  /// for a bad library: see refused(). Throws std::invalid_argument for a pin of a file that is none of the candidates.
  explicit Registry(SearchOptions options);
  /// Knows what another process's registry knew, `scanned` with their files in its order; scans nothing.
  Registry(SearchOptions options, std::vector<PluginInfo> scanned);
  ~Registry();
  Registry(Registry&&) noexcept;

  const SearchOptions& options() const;
  const std::vector<PluginInfo>& plugins() const;  ///< usable ones, in search order
  const std::vector<PluginInfo>& refused() const;  ///< the others, each with its reason
  /// Where two libraries offer the same id, the first in search order wins.
  const ComponentInfo* find(const std::string& component_id) const;
  std::vector<std::string> component_ids(const std::string& interface_id = "") const;

  /// Loads the library (once, for good) and makes an instance. `parameters` must have passed validate_parameters;
  /// `slots` (several of one name for a list) are handed to its constructor and live as long as it does. Throws
  /// std::invalid_argument for an unknown id (with the nearest one and refused libraries that may hold it) and for
  /// slots that the component does not declare, PluginError for what the component says.
  Component create(const std::string& component_id, const Json& parameters, std::vector<FilledSlot> slots = {}) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The child process's side of a scan: loads `library`, writes a PluginInfo as JSON to `descriptor`, returns an exit
/// code. The small program retort-plugin-scan, which lies beside the library of this code, calls it.
int scan_plugin_in_this_process(const std::filesystem::path& library, int descriptor);

/// Folders that are searched, in order, with the reason for each ("--plugin-path", "RETORT_PLUGIN_PATH", "user",
/// "installed").
std::vector<std::pair<std::filesystem::path, std::string>> search_folders(const SearchOptions& options);

}  // namespace retort::host
