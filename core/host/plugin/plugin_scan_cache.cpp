#include "host/plugin/plugin_scan_cache.h"

#include <chrono>
#include <cstdlib>

#include "host/base/files.h"
#include "host/plugin/plugin_description.h"
#include "host/plugin/plugin_error.h"

namespace retort::host {
namespace {

constexpr int format = 2;
constexpr std::int64_t seconds_before_retry = 600;

std::filesystem::path file_in(const std::filesystem::path& folder) {
  return folder / "plugins.json";
}

std::int64_t now() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// Everything but the file itself that a scan's answer depends on.
Json host_identity() {
  return {{"format", format},
          {"abi", {RETORT_ABI_MAJOR, RETORT_ABI_MINOR}},
          {"host", to_std(host_services().product_version)}};
}

}  // namespace

PluginScanCache::PluginScanCache(const std::filesystem::path& folder) {
  if (folder.empty()) return;
  file_ = file_in(folder);
  load();
}

void PluginScanCache::load() {
  try {
    if (!std::filesystem::exists(file_)) return;
    const Json json = read_json(file_);
    if (json.at("scanned_by") != host_identity()) return;
    for (const Json& member : json.at("scans")) {
      Entry entry{file_identity_from_json(member.at("file")), plugin_info_from_json(member.at("plugin")),
                  member.at("time_limit"), member.at("retry_after")};
      entries_[entry.file.path] = std::move(entry);
    }
  } catch (const std::exception&) {
    entries_.clear();  // damaged or of another shape: it is written anew
    changed_ = true;
  }
}

std::optional<PluginInfo> PluginScanCache::find(const FileIdentity& file, double seconds) const {
  const auto found = entries_.find(file.path);
  if (found == entries_.end() || found->second.file != file) return std::nullopt;
  const Entry& entry = found->second;
  if (entry.time_limit > 0 && (entry.time_limit < seconds || now() > entry.retry_after)) return std::nullopt;
  return entry.info;
}

void PluginScanCache::store(const FileIdentity& file, const ScanResult& result, double seconds) {
  if (!result.final) return;
  entries_[file.path] = {file, result.info, result.timed_out ? seconds : 0,
                         result.timed_out ? now() + seconds_before_retry : 0};
  changed_ = true;
}

void PluginScanCache::save() const {
  if (file_.empty() || !changed_) return;
  try {
    Json scans = Json::array();
    for (const auto& [path, entry] : entries_)
      if (std::filesystem::exists(path))
        scans.push_back({{"file", to_json(entry.file)},
                         {"plugin", host::to_json(entry.info)},
                         {"time_limit", entry.time_limit},
                         {"retry_after", entry.retry_after}});
    std::filesystem::create_directories(file_.parent_path());
    write_json(file_, {{"scanned_by", host_identity()}, {"scans", scans}});
  } catch (const std::exception&) {
    // A home that cannot be written to: the next start scans again.
  }
}

void forget_scans(const std::filesystem::path& folder) {
  if (!folder.empty()) std::filesystem::remove(file_in(folder));
}

std::filesystem::path default_cache_folder() {
  const char* xdg = std::getenv("XDG_CACHE_HOME");
  if (xdg != nullptr && xdg[0] == '/') return std::filesystem::path(xdg) / "retort";  // relative ones are to be ignored
  const char* home = std::getenv("HOME");
  if (home != nullptr && home[0] == '/') return std::filesystem::path(home) / ".cache" / "retort";
  return {};
}

}  // namespace retort::host
