// Remembers scans, refusals among them, by path, inode, size, times and ABI version. A cache that cannot be read or
// written costs a new scan and nothing else.
#pragma once

#include <filesystem>
#include <map>
#include <optional>

#include "host/plugin/plugin_scan.h"
#include "host/plugin/plugin_trust.h"

namespace retort::host {

class PluginScanCache {
 public:
  /// `folder` may be empty (remember nothing) or not exist yet.
  explicit PluginScanCache(const std::filesystem::path& folder);

  /// What a scan of exactly this file said. A scan that ran out of time, perhaps on a busy machine, counts only for ten
  /// minutes, and only if it had at least `seconds`.
  std::optional<PluginInfo> find(const FileIdentity& file, double seconds) const;
  void store(const FileIdentity& file, const ScanResult& result, double seconds);
  /// Writes the file if anything was stored, without entries of files that are gone.
  void save() const;

 private:
  struct Entry {
    FileIdentity file;
    PluginInfo info;
    double time_limit = 0;         ///< seconds, of a scan that ran out of time; else 0
    std::int64_t retry_after = 0;  ///< seconds since 1970, likewise
  };
  void load();

  std::filesystem::path file_;
  std::map<std::string, Entry> entries_;
  bool changed_ = false;
};

/// Removes what a cache in `folder` remembers; the next registry scans everything anew.
void forget_scans(const std::filesystem::path& folder);

/// $XDG_CACHE_HOME/retort, else ~/.cache/retort; empty if there is neither.
std::filesystem::path default_cache_folder();

}  // namespace retort::host
