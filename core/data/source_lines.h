// Lines of a text file of other programs, or elements of a JSON array, plain or made by gzip, in constant memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

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
  /// Of a file that is one JSON array, in place of lines: the text of the next element, not parsed; false behind the
  /// last. Holds one element. Throws std::runtime_error where the array does not end, or anything follows it.
  bool next_element(std::string& text);
  /// Of a file of JSON objects over several lines, one after the other: likewise.
  bool next_object(std::string& text);
  /// What has not been read yet. For files that are one JSON text; throws std::runtime_error above 1 GiB.
  std::string rest();
  /// The first byte that is no white space, or 0 where there is none within the first 64 KiB.
  char first_sign() const;

 private:
  struct Stream;
  bool fill();
  int next_sign();
  void copy_until(std::string& text, const std::function<bool(char)>& ends);
  [[noreturn]] void refuse_json(const std::string& expected) const;
  std::filesystem::path path_;
  std::unique_ptr<Stream> stream_;
  std::string buffer_;
  std::size_t at_ = 0;
  std::int64_t line_ = 0, elements_ = 0;
};

/// Whether the JSON object that a text begins with ends in it.
bool ends_with_its_object(std::string_view text);

}  // namespace retort::data
