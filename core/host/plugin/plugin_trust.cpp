#include "host/plugin/plugin_trust.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "host/base/files.h"

namespace retort::host {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, int code) {
  throw std::runtime_error("cannot examine '" + path.string() + "': " + std::strerror(code));
}

struct stat status_of(int descriptor, const std::filesystem::path& path) {
  struct stat status{};
  if (::fstat(descriptor, &status) != 0) fail(path, errno);
  return status;
}

std::string weakness(const struct stat& status, const std::filesystem::path& path, const char* what,
                     bool sticky_is_safe) {
  const std::string name = std::string(what) + " '" + path.string() + "'";
  const bool sticky = sticky_is_safe && (status.st_mode & S_ISVTX) != 0;
  if (!sticky && (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return name + " can be written by " + ((status.st_mode & S_IWOTH) != 0 ? "everyone" : "its group") +
           "; run: chmod go-w '" + path.string() + "'";
  if (status.st_uid != 0 && status.st_uid != ::geteuid())
    return name + " belongs to user " + std::to_string(status.st_uid) + ", who is neither you (user " +
           std::to_string(::geteuid()) + ") nor root; change its owner";
  return "";
}

std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

FileIdentity identity_of(const struct stat& status, const std::filesystem::path& path) {
  return {path.string(),
          status.st_dev,
          status.st_ino,
          static_cast<std::uint64_t>(status.st_size),
          nanoseconds(status.st_mtim),
          nanoseconds(status.st_ctim)};
}

/// This process as /proc knows it: by number where that is possible, so that a debugger finds the library too.
std::string own_process() {
  std::array<char, 32> number{};
  const ssize_t size = ::readlink("/proc/self", number.data(), number.size());
  return size > 0 ? std::string(number.data(), static_cast<std::size_t>(size)) : "self";
}

}  // namespace

FileIdentity file_identity(const std::filesystem::path& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) fail(path, errno);
  return identity_of(status, path);
}

Json to_json(const FileIdentity& file) {
  return {{"path", file.path}, {"device", file.device},     {"inode", file.inode},
          {"size", file.size}, {"mtime", file.modified_ns}, {"ctime", file.changed_ns}};
}

FileIdentity file_identity_from_json(const Json& json) {
  return {json.at("path"), json.at("device"), json.at("inode"), json.at("size"), json.at("mtime"), json.at("ctime")};
}

LibraryFile::LibraryFile(const std::filesystem::path& path) : path_(path) {
  try {
    open_folders();
    file_ = ::openat(folder_, path_.filename().c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (file_ < 0) fail(path_, errno);
    const struct stat status = status_of(file_, path_);
    if (!S_ISREG(status.st_mode)) throw std::runtime_error("'" + path_.string() + "' is not a file");
    identity_ = identity_of(status, path_);
    const std::string own = weakness(status, path_, "the library", false);
    if (!own.empty()) distrust_ = own;
  } catch (...) {
    if (file_ >= 0) ::close(file_);
    if (folder_ >= 0) ::close(folder_);
    throw;
  }
}

void LibraryFile::open_folders() {
  const std::filesystem::path parent = path_.parent_path();
  std::filesystem::path at = "/";
  folder_ = ::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (folder_ < 0) fail(at, errno);
  const auto judge = [&] {
    const bool own = at == parent;
    const std::string found = weakness(status_of(folder_, at), at, own ? "its folder" : "the folder", !own);
    if (!found.empty() && (distrust_.empty() || own)) distrust_ = found;
  };
  judge();
  for (const std::filesystem::path& part : parent.relative_path()) {
    at /= part;
    const int next = ::openat(folder_, part.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0) fail(at, errno);
    ::close(std::exchange(folder_, next));
    judge();
  }
}

LibraryFile::LibraryFile(LibraryFile&& other) noexcept
    : folder_(std::exchange(other.folder_, -1)),
      file_(std::exchange(other.file_, -1)),
      path_(std::move(other.path_)),
      identity_(std::move(other.identity_)),
      distrust_(std::move(other.distrust_)) {}

LibraryFile::~LibraryFile() {
  if (file_ >= 0) ::close(file_);
  if (folder_ >= 0) ::close(folder_);
}

std::string LibraryFile::sha256() const {
  return sha256_of_file("/proc/self/fd/" + std::to_string(file_));
}

std::string LibraryFile::beginning(std::size_t size) const {
  std::string bytes(size, '\0');
  const ssize_t count = ::pread(file_, bytes.data(), size, 0);
  bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return bytes;
}

std::filesystem::path LibraryFile::loading_path() const {
  struct stat status{};
  if (::fstatat(folder_, path_.filename().c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) fail(path_, errno);
  if (identity_of(status, path_) != identity_)
    throw std::runtime_error("'" + path_.string() + "' was replaced while it was looked at; start again");
  const std::filesystem::path folder = "/proc/" + own_process() + "/fd/" + std::to_string(folder_);
  std::error_code error;
  return std::filesystem::exists(folder, error) ? folder / path_.filename() : path_;
}

}  // namespace retort::host
