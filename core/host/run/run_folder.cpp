#include "host/run/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "host/base/files.h"

namespace retort::host {
namespace {

std::filesystem::path lock_file(const RunFolder& folder) {
  return folder.path() / ".lock";
}

/// A symbolic link that replaces an older one in one step. Relative, so that a run directory can be moved.
void link_atomically(const std::filesystem::path& target, const std::filesystem::path& link) {
  const std::filesystem::path temporary = link.parent_path() / (".tmp-link-" + link.filename().string());
  std::error_code error;
  std::filesystem::remove(temporary, error);
  std::filesystem::create_symlink(target, temporary, error);
  if (!error) std::filesystem::rename(temporary, link, error);
  if (error) throw std::runtime_error("cannot make the link '" + link.string() + "': " + error.message());
}

/// Names of stages, and so of what is theirs, never begin with a dot, but may well hold ".tmp-".
bool is_temporary(const std::string& name) {
  return name.starts_with(".tmp-");
}

}  // namespace

RunFolder::RunFolder(const std::filesystem::path& folder)
    : folder_(std::filesystem::absolute(folder).lexically_normal()) {
  if (!folder_.has_filename()) folder_ = folder_.parent_path();
}

std::string RunFolder::attempt(const std::string& stage, const std::string& key) {
  return stage + "-" + key.substr(0, 12);
}

void RunFolder::make() const {
  std::error_code error;
  if (std::filesystem::exists(folder_, error) && !std::filesystem::is_directory(folder_, error))
    throw std::invalid_argument("'" + folder_.string() + "' is not a folder; choose another with --run-dir");
  const bool is_run = std::filesystem::exists(record(), error) || std::filesystem::is_directory(artifacts(), error);
  if (!is_run && std::filesystem::exists(folder_, error) && !std::filesystem::is_empty(folder_, error))
    throw std::invalid_argument("'" + folder_.string() +
                                "' holds other files than a run's; choose an empty or new folder with --run-dir");
  for (const char* part : {"artifacts", "work", "metrics", "stages"}) {
    std::filesystem::create_directories(folder_ / part, error);
    if (error) throw std::runtime_error("cannot make '" + (folder_ / part).string() + "': " + error.message());
  }
}

void RunFolder::remove_orphans() const {
  for (const auto& parent : {folder_, artifacts(), folder_ / "metrics", folder_ / "stages"})
    for (const auto& entry : std::filesystem::directory_iterator(parent))
      if (is_temporary(entry.path().filename().string())) std::filesystem::remove_all(entry.path());
}

void RunFolder::link_stage(const std::string& stage, const std::string& attempt_name) const {
  link_atomically(std::filesystem::path("..") / "artifacts" / attempt_name, stage_link(stage));
}

void RunFolder::link_model(const std::string& attempt_name) const {
  link_atomically(std::filesystem::path("artifacts") / attempt_name, model_link());
}

void RunFolder::unlink_model() const {
  std::error_code ignored;
  if (std::filesystem::is_symlink(model_link(), ignored)) std::filesystem::remove(model_link(), ignored);
}

void RunFolder::remove_results() const {
  unlink_model();
  for (const std::filesystem::path& result : {report(), metrics(), folder_ / "tensorboard"})
    std::filesystem::remove_all(result);
}

std::filesystem::path RunFolder::set_aside(const std::string& attempt_name) const {
  const std::filesystem::path folder = folder_ / "damaged";
  std::filesystem::create_directories(folder);
  for (int number = 1;; ++number) {
    const std::filesystem::path target = folder / (attempt_name + "." + std::to_string(number));
    if (std::filesystem::exists(target)) continue;
    std::filesystem::rename(artifact(attempt_name), target);
    return target;
  }
}

RunLock::RunLock(const RunFolder& folder)
    : descriptor_(::open(lock_file(folder).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
  if (descriptor_ < 0)
    throw std::runtime_error("cannot open '" + lock_file(folder).string() + "': " + std::strerror(errno));
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    std::array<char, 32> owner{};
    const ssize_t size = ::read(descriptor_, owner.data(), owner.size() - 1);
    ::close(descriptor_);
    throw std::runtime_error("the run directory '" + folder.path().string() + "' is in use by process " +
                             (size > 0 ? std::string(owner.data()) : "(unknown)") +
                             "; wait until it ends, stop it, or choose another directory with --run-dir" +
                             (std::getenv("RANK") == nullptr ? ""
                                                             : ": of several processes of one training each needs a "
                                                               "directory of its own, as --run-dir runs/NAME-$RANK"));
  }
  const std::string owner = std::to_string(::getpid());
  // Who holds the lock is for messages only, so a full disk here is no reason to fail.
  if (::ftruncate(descriptor_, 0) == 0 && ::pwrite(descriptor_, owner.data(), owner.size(), 0) < 0) errno = 0;
}

RunLock::~RunLock() {
  ::close(descriptor_);
}

bool RunLock::held(const RunFolder& folder) {
  const int descriptor = ::open(lock_file(folder).c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return false;
  const bool free = ::flock(descriptor, LOCK_SH | LOCK_NB) == 0;
  ::close(descriptor);
  return !free;
}

}  // namespace retort::host
