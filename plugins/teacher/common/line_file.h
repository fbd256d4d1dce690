// A file of lines that survives being killed: each line is one write to its end, so that several writers never mix.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace retort::teacher {

/// One writer; used by one thread at a time. Other objects and processes may append to the same file.
class LineFile {
 public:
  /// Makes the file and its folder where they are not there. Throws std::runtime_error naming the file.
  explicit LineFile(std::filesystem::path file);
  ~LineFile();  ///< synchronises
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;

  /// The line (without its end) is with the system when this returns and survives the end of the process; it survives
  /// the end of the machine after sync(), which is called once a second. A half line that somebody left is ended first.
  /// Throws std::runtime_error naming the file.
  void append(std::string_view line);
  void sync();

  /// Calls take(offset, line) for every whole line that was appended since the last call, in constant memory.
  void read_new(const std::function<void(std::uint64_t offset, std::string_view line)>& take);
  std::string read(std::uint64_t offset, std::size_t length) const;
  const std::filesystem::path& path() const { return file_; }

 private:
  std::filesystem::path file_;
  int descriptor_ = -1;
  bool torn_ = false;  ///< the last line has no end
  std::uint64_t read_ = 0;
  std::int64_t synced_ = 0;  ///< seconds of the steady clock
};

}  // namespace retort::teacher
