// Whether a library may be loaded at all, judged by its file and folder alone.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace retort::host {

/// Why `library` (absolute, symbolic links resolved) must not be loaded, or "": someone else than the user and root
/// owns it or can write to it or to its folder.
std::string distrust_reason(const std::filesystem::path& library);

/// Which content a path stood for at one moment. Two equal identities: the file did not change in between.
struct FileIdentity {
  std::string path;
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t modified_ns = 0, changed_ns = 0;
  bool operator==(const FileIdentity&) const = default;
};

/// Throws std::runtime_error: path and the system's reason.
FileIdentity file_identity(const std::filesystem::path& path);

}  // namespace retort::host
