// See file_stamp.h.
#include "model/file_stamp.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "host/base/files.h"

namespace retort::model {
namespace {

constexpr std::int64_t kWhole = std::int64_t{1} << 20;  // files up to here are read from end to end
constexpr std::int64_t kStep = std::int64_t{1} << 16, kSampled = 64;

/// An open regular file; closes it.
class Descriptor {
 public:
  explicit Descriptor(const std::filesystem::path& file)
      : path_(file.string()), descriptor_(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (descriptor_ < 0) fail("cannot open");
    if (::fstat(descriptor_, &status_) == 0 && S_ISREG(status_.st_mode)) return;
    ::close(descriptor_);
    throw std::runtime_error("'" + path_ + "': expected a regular file");
  }
  ~Descriptor() { ::close(descriptor_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  const struct stat& status() const { return status_; }

  /// Appends bytes [first, last), or what there is of them.
  void read(std::int64_t first, std::int64_t last, std::string& bytes) const {
    const std::size_t before = bytes.size();
    bytes.resize(before + static_cast<std::size_t>(last - first));
    std::size_t done = before;
    while (done < bytes.size()) {
      const ssize_t count = ::pread(descriptor_, bytes.data() + done, bytes.size() - done,
                                    first + static_cast<std::int64_t>(done - before));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail("cannot read");
      if (count == 0) break;
      done += static_cast<std::size_t>(count);
    }
    bytes.resize(done);
  }

 private:
  [[noreturn]] void fail(const char* what) const {
    throw std::runtime_error(std::string(what) + " '" + path_ + "': " + std::strerror(errno));
  }

  std::string path_;
  int descriptor_;
  struct stat status_{};
};

std::string sample_of(const Descriptor& file) {
  const std::int64_t bytes = file.status().st_size;
  std::string sampled;
  if (bytes <= kWhole) {
    file.read(0, bytes, sampled);
  } else {
    file.read(0, kStep, sampled);
    for (std::int64_t place = kStep; place < bytes; place += kStep)
      file.read(place, std::min(place + kSampled, bytes), sampled);
    file.read(bytes - kSampled, bytes, sampled);
  }
  return host::sha256(sampled);
}

/// All but the hashes.
FileStamp outside_of(const std::filesystem::path& path, const Descriptor& file) {
  FileStamp stamp;
  stamp.name = path.filename().string();
  stamp.bytes = file.status().st_size;
  stamp.seconds = file.status().st_mtim.tv_sec;
  stamp.nanoseconds = file.status().st_mtim.tv_nsec;
  return stamp;
}

}  // namespace

FileStamp stamp_of(const std::filesystem::path& path) {
  const Descriptor file(path);
  FileStamp stamp = outside_of(path, file);
  stamp.sample = sample_of(file);
  stamp.sha256 = host::sha256_of_file(path);
  return stamp;
}

std::string changed_since(const FileStamp& stamp, const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / stamp.name;
  try {
    const Descriptor file(path);
    const FileStamp now = outside_of(path, file);
    if (now.bytes != stamp.bytes)
      return "'" + path.string() + "': expected " + std::to_string(stamp.bytes) + " bytes, found " +
             std::to_string(now.bytes);
    if (sample_of(file) != stamp.sample) return "'" + path.string() + "': its content is another one";
    const bool same_time =
        now.seconds == stamp.seconds && (now.nanoseconds == stamp.nanoseconds || now.nanoseconds == 0);
    if (same_time || host::sha256_of_file(path) == stamp.sha256) return "";
    return "'" + path.string() + "': its content is another one";
  } catch (const std::runtime_error& error) {
    return error.what();
  }
}

nlohmann::json to_json(const FileStamp& stamp) {
  return {{"name", stamp.name},       {"bytes", stamp.bytes},
          {"seconds", stamp.seconds}, {"nanoseconds", stamp.nanoseconds},
          {"sha256", stamp.sha256},   {"sample", stamp.sample}};
}

FileStamp file_stamp_from_json(const nlohmann::json& json) {
  return {json.at("name").get<std::string>(),     json.at("bytes").get<std::int64_t>(),
          json.at("seconds").get<std::int64_t>(), json.at("nanoseconds").get<std::int64_t>(),
          json.at("sha256").get<std::string>(),   json.at("sample").get<std::string>()};
}

}  // namespace retort::model
