#include "host/base/files.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include "host/base/hexadecimal.h"

namespace retort::host {
namespace {

[[noreturn]] void fail(const std::string& what, const std::filesystem::path& path, int code) {
  throw std::runtime_error(what + " '" + path.string() + "': " + std::strerror(code));
}

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }
  int release() { return std::exchange(value_, -1); }

 private:
  int value_;
};

/// Makes a rename durable. A folder that cannot be opened for reading still holds the file: not an error.
void sync_folder(const std::filesystem::path& folder) {
  const Descriptor descriptor(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor.get() >= 0) ::fsync(descriptor.get());
}

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1)
      throw std::runtime_error("SHA-256 is not available from the OpenSSL library");
  }
  void add(const void* data, std::size_t bytes) { EVP_DigestUpdate(context_.get(), data, bytes); }
  std::string hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_DigestFinal_ex(context_.get(), digest.data(), &size);
    return to_hexadecimal({reinterpret_cast<const char*>(digest.data()), size});
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

namespace {

constexpr std::size_t most_of_a_stream = std::size_t{64} << 20;

bool is_regular(int descriptor) {
  struct stat status{};
  return ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
}

}  // namespace

std::string read_file(const std::filesystem::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) fail("cannot open", path, errno);
  const bool endless = !is_regular(file.get());
  std::string content;
  std::array<char, 1 << 16> buffer;
  for (;;) {
    const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("cannot read", path, errno);
    if (count == 0) return content;
    if (endless && content.size() > most_of_a_stream)
      throw std::runtime_error("cannot read '" + path.string() + "': not a file, and more than 64 MiB come out of it");
    content.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

void write_all(int descriptor, const void* data, std::size_t bytes) {
  const char* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t count = ::write(descriptor, next, bytes);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw std::system_error(errno, std::generic_category());
    next += count;
    bytes -= static_cast<std::size_t>(count);
  }
}

void write_file_atomically(const std::filesystem::path& path, const std::function<void(int)>& write) {
  const std::filesystem::path temporary =
      path.parent_path() / (".tmp-" + std::to_string(::getpid()) + "-" + path.filename().string());
  Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (file.get() < 0) fail("cannot write", path, errno);
  try {
    write(file.get());
    if (::fsync(file.get()) != 0) throw std::system_error(errno, std::generic_category());
    if (::close(file.release()) != 0) throw std::system_error(errno, std::generic_category());
    if (::rename(temporary.c_str(), path.c_str()) != 0) throw std::system_error(errno, std::generic_category());
  } catch (const std::system_error& error) {
    ::unlink(temporary.c_str());
    fail("cannot write", path, error.code().value());
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_folder(path.parent_path());
}

void write_file_atomically(const std::filesystem::path& path, std::string_view content) {
  write_file_atomically(path, [&](int descriptor) { write_all(descriptor, content.data(), content.size()); });
}

std::string sha256(std::string_view bytes) {
  Sha256 hash;
  hash.add(bytes.data(), bytes.size());
  return hash.hex();
}

void copy_file(const std::filesystem::path& from, const std::filesystem::path& to,
               const std::function<void()>& between) {
  const Descriptor source(::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (source.get() < 0) fail("cannot open", from, errno);
  struct stat status{};
  if (::fstat(source.get(), &status) != 0 || !S_ISREG(status.st_mode))
    throw std::runtime_error("cannot copy '" + from.string() + "': not a regular file");
  const Descriptor target(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, status.st_mode & 0777U));
  if (target.get() < 0) fail("cannot make", to, errno);
  std::vector<char> buffer(std::size_t{4} << 20U);
  for (;;) {
    between();
    const ssize_t count = ::read(source.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("cannot read", from, errno);
    if (count == 0) return;
    write_all(target.get(), buffer.data(), static_cast<std::size_t>(count));
  }
}

std::string sha256_of_file(const std::filesystem::path& path, const std::function<void()>& between) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) fail("cannot open", path, errno);
  if (!is_regular(file.get())) throw std::runtime_error("cannot hash '" + path.string() + "': not a regular file");
  Sha256 hash;
  constexpr std::size_t reads_between = 64;  // 4 MiB
  std::array<char, 1 << 16> buffer;
  for (std::size_t reads = 0;; ++reads) {
    if (between && reads % reads_between == 0) between();
    const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("cannot read", path, errno);
    if (count == 0) return hash.hex();
    hash.add(buffer.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace retort::host
