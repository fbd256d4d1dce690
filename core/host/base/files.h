// Files that are whole or absent: atomic writes, hashes, and errors that name the path.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace retort::host {

/// The whole file; of a pipe or device at most 64 MiB. Throws std::runtime_error: path and the system's reason.
std::string read_file(const std::filesystem::path& path);

/// Writes under a temporary name in the same folder, fsyncs file and folder, renames. On any error the temporary file
/// is removed, an older file of that name stays, and std::runtime_error names the path and the system's reason.
void write_file_atomically(const std::filesystem::path& path, std::string_view content);

/// The same for content too large for one string: `write` is called with an open file descriptor.
void write_file_atomically(const std::filesystem::path& path, const std::function<void(int descriptor)>& write);

/// Writes all bytes to the descriptor; throws std::system_error on failure (a full disk among them).
void write_all(int descriptor, const void* data, std::size_t bytes);

/// A new file with the bytes and the mode of another; `between` is called every few megabytes, and may throw. Throws
/// std::runtime_error or std::system_error; what was written by then stays.
void copy_file(const std::filesystem::path& from, const std::filesystem::path& to,
               const std::function<void()>& between);

/// Lower-case hexadecimal SHA-256; of regular files only: a pipe or a device is an error, and never hangs.
std::string sha256(std::string_view bytes);
/// `between` is called every few megabytes, and may throw.
std::string sha256_of_file(const std::filesystem::path& path, const std::function<void()>& between = {});

}  // namespace retort::host
