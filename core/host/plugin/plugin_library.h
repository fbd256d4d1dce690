// One shared library of plugin components in this process: loading it, and whether its ABI fits. Nothing else in the
// project loads libraries.
#pragma once

#include <retort/abi/plugin.h>

#include <filesystem>
#include <memory>
#include <string>

namespace retort::host {

/// Loaded for good: the library stays mapped after this object is gone.
class PluginLibrary {
 public:
  /// Loads `path` (absolute) and checks its entry; runs its constructors but not init(). Throws std::runtime_error that
  /// names the file, what is wrong, and what to do. Whoever cannot afford a crash calls it in a child process.
  explicit PluginLibrary(const std::filesystem::path& path);
  ~PluginLibrary();
  PluginLibrary(const PluginLibrary&) = delete;
  PluginLibrary& operator=(const PluginLibrary&) = delete;

  const std::filesystem::path& path() const { return path_; }
  const retort_plugin_entry& entry() const { return *entry_; }
  /// Calls init() with this process's services. Throws PluginError.
  void start() const;

 private:
  struct Handle;
  std::filesystem::path path_;
  std::unique_ptr<Handle> handle_;
  const retort_plugin_entry* entry_ = nullptr;
};

/// The library, loaded and started once in this process however often it is asked for; its shutdown() runs when the
/// process exits normally. Throws as PluginLibrary does. [any-thread]
const PluginLibrary& loaded_plugin(const std::filesystem::path& path);

}  // namespace retort::host
