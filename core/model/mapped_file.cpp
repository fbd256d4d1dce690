#include "model/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>

namespace retort::model {
namespace {

[[noreturn]] void fail(const char* what, const std::filesystem::path& path) {
  throw std::runtime_error(std::string(what) + " '" + path.string() + "': " + std::strerror(errno));
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail("cannot open", path);
  struct stat status{};
  const bool regular = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
  if (regular && status.st_size > 0) {
    bytes_ = static_cast<std::size_t>(status.st_size);
    address_ = ::mmap(nullptr, bytes_, PROT_READ, MAP_PRIVATE, descriptor, 0);
  }
  const int code = errno;
  ::close(descriptor);
  errno = code;
  if (!regular) throw std::runtime_error("cannot read '" + path.string() + "': expected a regular file");
  if (address_ == MAP_FAILED) fail("cannot map", path);
}

MappedFile::~MappedFile() {
  if (address_ != nullptr) ::munmap(address_, bytes_);
}

void MappedFile::release(const std::byte* begin, std::size_t bytes) const {
  const std::less_equal<> not_after;  // built-in <= is unspecified for pointers into different objects
  if (bytes == 0 || data() == nullptr || !not_after(data(), begin) || !not_after(begin, data() + bytes_)) return;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto first = static_cast<std::size_t>(begin - data()) / page * page;
  const auto end = std::min(bytes_, static_cast<std::size_t>(begin - data()) + bytes);
  // The mapping is never written to, so dropped pages come back unchanged. A refusal costs memory, nothing else.
  ::madvise(static_cast<std::byte*>(address_) + first, end - first, MADV_DONTNEED);
}

void MappedFile::make_writable() const {
  if (address_ == nullptr || ::mprotect(address_, bytes_, PROT_READ | PROT_WRITE) == 0) return;
  throw std::runtime_error(std::string("cannot make a mapping writable: ") + std::strerror(errno));
}

}  // namespace retort::model
