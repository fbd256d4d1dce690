// A read-only memory-mapped file, whose pages can be given back once they have been read.
#pragma once

#include <cstddef>
#include <filesystem>

namespace retort::model {

/// Whoever truncates the file meanwhile causes SIGBUS, as with every mapped file. Safe to share between threads.
class MappedFile {
 public:
  /// Throws std::runtime_error naming path and reason; expects a regular file.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::byte* data() const { return static_cast<const std::byte*>(address_); }  ///< null for an empty file
  std::size_t bytes() const { return bytes_; }

  /// Lets the kernel take back the pages that hold any of [begin, begin + bytes), as far as that lies in the mapping;
  /// reading them again loads them again. What streams through a file keeps its resident memory small this way.
  void release(const std::byte* begin, std::size_t bytes) const;
  /// From now on the mapping may be written to: pages that are become this process's own, the file stays as it is.
  /// Throws std::runtime_error with the system's reason.
  void make_writable() const;

 private:
  void* address_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace retort::model
