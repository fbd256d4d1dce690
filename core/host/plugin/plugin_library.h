// One shared library of plugin components in this process: loading it, and whether its ABI fits. Nothing else in the
// project loads libraries.
#pragma once

#include <retort/abi/plugin.h>

#include <filesystem>
#include <memory>
#include <string>

#include "host/plugin/plugin_trust.h"

namespace retort::host {

/// Loaded for good: the library stays mapped after this object is gone.
class PluginLibrary {
 public:
  /// Loads the opened library and checks its entry; runs its constructors but not init(). Throws std::runtime_error
  /// that names the file, what is wrong, and what to do. Whoever cannot afford a crash calls it in a child process.
  explicit PluginLibrary(LibraryFile file);
  /// The same of an absolute path, symbolic links followed.
  explicit PluginLibrary(const std::filesystem::path& path);
  ~PluginLibrary();
  PluginLibrary(const PluginLibrary&) = delete;
  PluginLibrary& operator=(const PluginLibrary&) = delete;

  const std::filesystem::path& path() const { return file_.path(); }
  const retort_plugin_entry& entry() const { return *entry_; }
  /// Calls init() with this process's services. Throws PluginError.
  void start() const;

 private:
  struct Handle;
  LibraryFile file_;  ///< its folder stays open: the library may look beside itself for more
  std::unique_ptr<Handle> handle_;
  const retort_plugin_entry* entry_ = nullptr;
};

/// The library, loaded and started once in this process however often it is asked for; its shutdown() runs when the
/// process exits normally. Throws as PluginLibrary does. [any-thread]
const PluginLibrary& loaded_plugin(const std::filesystem::path& path);
const PluginLibrary& loaded_plugin(LibraryFile&& file);

}  // namespace retort::host
