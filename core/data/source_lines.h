// Lines of a text file of other programs, plain or made by gzip, in constant memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace retort::data {

/// Used by one thread at a time.
class SourceLines {
 public:
  /// A byte order mark is passed over. Throws std::runtime_error naming the file where it cannot be read or is UTF-16.
  explicit SourceLines(const std::filesystem::path& file);
  ~SourceLines();
  SourceLines(const SourceLines&) = delete;
  SourceLines& operator=(const SourceLines&) = delete;

  /// The next line without its line feed and carriage return; false at the end. Throws std::runtime_error where the
  /// file cannot be read on, as one of gzip that was cut off.
  bool next(std::string& text);
  /// The next line that is not blank.
  bool next_filled(std::string& text);
  std::int64_t line() const { return line_; }  ///< 1-based, of the last text
  /// What has not been read yet. For files that are one JSON text; throws std::runtime_error above 1 GiB.
  std::string rest();
  /// The first byte that is no white space, or 0 where there is none within the first 64 KiB.
  char first_sign() const;

 private:
  struct Stream;
  bool fill();
  std::filesystem::path path_;
  std::unique_ptr<Stream> stream_;
  std::string buffer_;
  std::size_t at_ = 0;
  std::int64_t line_ = 0;
};

}  // namespace retort::data
