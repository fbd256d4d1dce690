// A folder of one test, with the plugins that it needs, readable and writable by the user alone.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "host/plugin/registry.h"

namespace retort::test {

class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  /// Copies the built test plugin `name`.so into plugins() and returns the copy's path.
  std::filesystem::path add(const std::string& name) const;
  std::filesystem::path plugins() const { return path_ / "plugins"; }
  std::filesystem::path cache() const { return path_ / "cache"; }
  /// Searches plugins() alone, with a cache of its own.
  host::SearchOptions options() const;

 private:
  std::filesystem::path path_;
};

/// The text for which `library` was refused, or "" if it was not.
std::string refusal_of(const host::Registry& registry, const std::string& library);

}  // namespace retort::test
