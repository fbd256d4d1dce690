// See line_file.h.
#include "line_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace retort::teacher {
namespace {

[[noreturn]] void fail_at(const std::filesystem::path& file, const char* what) {
  throw std::runtime_error("'" + file.string() + "': cannot " + what + ": " + std::generic_category().message(errno));
}

std::int64_t steady_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::size_t read_at(int descriptor, char* buffer, std::size_t size, std::uint64_t offset) {
  for (;;) {
    const ssize_t got = ::pread(descriptor, buffer, size, static_cast<off_t>(offset));
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) return 0;
  }
}

}  // namespace

LineFile::LineFile(std::filesystem::path file) : file_(std::move(file)), synced_(steady_seconds()) {
  std::error_code error;
  std::filesystem::create_directories(file_.parent_path(), error);
  descriptor_ = ::open(file_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail_at(file_, "be opened");
  struct stat status{};
  char last = '\n';
  if (::fstat(descriptor_, &status) == 0 && status.st_size > 0)
    read_at(descriptor_, &last, 1, static_cast<std::uint64_t>(status.st_size) - 1);
  torn_ = last != '\n';
}

LineFile::~LineFile() {
  ::fdatasync(descriptor_);
  ::close(descriptor_);
}

void LineFile::append(std::string_view line) {
  std::string text = torn_ ? "\n" : "";
  text.append(line) += '\n';
  torn_ = true;
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t once = ::write(descriptor_, text.data() + written, text.size() - written);
    if (once < 0 && errno == EINTR) continue;
    if (once < 0) fail_at(file_, "be written");
    written += static_cast<std::size_t>(once);
  }
  torn_ = false;
  if (steady_seconds() > synced_) sync();
}

void LineFile::sync() {
  if (::fdatasync(descriptor_) != 0) fail_at(file_, "be written to the disk");
  synced_ = steady_seconds();
}

void LineFile::read_new(const std::function<void(std::uint64_t offset, std::string_view line)>& take) {
  struct stat status{};
  if (::fstat(descriptor_, &status) != 0) fail_at(file_, "be looked at");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size <= read_) return;
  std::string held;  // begins at read_
  std::string buffer(std::size_t{1} << 18U, '\0');
  for (std::uint64_t at = read_; at < size;) {
    const std::size_t got = read_at(descriptor_, buffer.data(), buffer.size(), at);
    if (got == 0) break;
    at += got;
    held.append(buffer, 0, got);
    std::size_t begin = 0;
    for (std::size_t end = held.find('\n'); end != std::string::npos; end = held.find('\n', begin)) {
      take(read_ + begin, std::string_view(held).substr(begin, end - begin));
      begin = end + 1;
    }
    held.erase(0, begin);
    read_ += begin;
  }
}

std::string LineFile::read(std::uint64_t offset, std::size_t length) const {
  std::string text(length, '\0');
  std::size_t done = 0;
  while (done < length) {
    const std::size_t got = read_at(descriptor_, text.data() + done, length - done, offset + done);
    if (got == 0) throw std::runtime_error("'" + file_.string() + "': was shortened while it was in use");
    done += got;
  }
  return text;
}

}  // namespace retort::teacher
