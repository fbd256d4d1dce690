#include "host/plugin/plugin_trust.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace retort::host {
namespace {

struct stat status_of(const std::filesystem::path& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0)
    throw std::runtime_error("cannot examine '" + path.string() + "': " + std::strerror(errno));
  return status;
}

std::string weakness(const std::filesystem::path& path, const char* what) {
  const struct stat status = status_of(path);
  const std::string name = std::string(what) + " '" + path.string() + "'";
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
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

}  // namespace

std::string distrust_reason(const std::filesystem::path& library) {
  std::string reason = weakness(library, "the library");
  if (reason.empty()) reason = weakness(library.parent_path(), "its folder");
  return reason;
}

FileIdentity file_identity(const std::filesystem::path& path) {
  const struct stat status = status_of(path);
  return {path.string(),
          status.st_dev,
          status.st_ino,
          static_cast<std::uint64_t>(status.st_size),
          nanoseconds(status.st_mtim),
          nanoseconds(status.st_ctim)};
}

}  // namespace retort::host
