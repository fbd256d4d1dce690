// Whether a library may be loaded at all, judged by its file and its folders alone, and by what was opened, not by a
// name that may lead elsewhere a moment later.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "host/base/json.h"

namespace retort::host {

/// Which content a path stood for at one moment. Two equal identities: the file did not change in between.
struct FileIdentity {
  std::string path;
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t modified_ns = 0, changed_ns = 0;
  bool operator==(const FileIdentity&) const = default;
};

/// Throws std::runtime_error: path and the system's reason.
FileIdentity file_identity(const std::filesystem::path& path);
Json to_json(const FileIdentity& file);
/// Throws std::exception for JSON of another shape.
FileIdentity file_identity_from_json(const Json& json);

/// A library and its folder, held open: whoever swaps folders afterwards changes nothing here.
class LibraryFile {
 public:
  /// Opens folder by folder from the root, following no symbolic link: `path` is absolute and resolved. Throws
  /// std::runtime_error that names what is missing or no file.
  explicit LibraryFile(const std::filesystem::path& path);
  LibraryFile(LibraryFile&& other) noexcept;
  LibraryFile& operator=(LibraryFile&&) = delete;
  ~LibraryFile();

  const std::filesystem::path& path() const { return path_; }
  const FileIdentity& identity() const { return identity_; }
  /// Why it must not be loaded, or "": someone else than the user and root owns the file or a folder on the way to it,
  /// or can write to one. Of a folder with the sticky bit others cannot take what is not theirs away, so that it may
  /// stand above the library's own, as /tmp does.
  const std::string& distrust_reason() const { return distrust_; }
  std::string sha256() const;
  /// The first `size` bytes, or as many as there are.
  std::string beginning(std::size_t size) const;
  /// A path of this process's that leads to the library through the opened folder, so that $ORIGIN is still that
  /// folder. Throws std::runtime_error if another file has come into its place there.
  std::filesystem::path loading_path() const;

 private:
  void open_folders();
  int folder_ = -1, file_ = -1;  ///< descriptors
  std::filesystem::path path_;
  FileIdentity identity_;
  std::string distrust_;
};

}  // namespace retort::host
