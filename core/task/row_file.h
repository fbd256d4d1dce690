// Lines of a JSONL file, one after the other in constant memory, and what became of them. The same for every stage and
// command that reads rows.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>

#include "task/conversation.h"

namespace retort::task {

/// Used by one thread at a time.
class RowFile {
 public:
  /// Throws std::runtime_error naming the file where it cannot be read, or is no text that can hold rows: UTF-16, or a
  /// Git LFS pointer in place of the data.
  explicit RowFile(const std::filesystem::path& file);

  /// The next line that is not blank, without its line feed; false at the end.
  bool next(std::string& text);
  std::int64_t line() const { return line_; }  ///< 1-based, of the last text

 private:
  std::filesystem::path path_;
  std::ifstream stream_;
  std::int64_t line_ = 0;
};

/// One line as JSON. Throws std::invalid_argument: the reason, with the column where there is one.
nlohmann::json parse_row(std::string_view text);

/// A reason without what differs from row to row: what was found, numbers, and texts of several words in quotes. "row:
/// /messages/1/role: expected a string, found 7" → "/messages/N/role: expected a string".
std::string kind_of_reason(std::string_view reason);

/// How many rows were kept and rejected, and why. Constant memory.
class RowTally {
 public:
  void keep() { ++kept_; }
  void reject(const std::string& reason);
  void add(const ReadingNotes& notes) { notes_.add(notes); }
  void add(const RowTally& other);

  std::int64_t kept() const { return kept_; }
  std::int64_t rejected() const { return rejected_; }
  std::int64_t rows() const { return kept_ + rejected_; }
  const ReadingNotes& notes() const { return notes_; }
  bool exceeds(double max_rejected_share) const;

  /// "WHAT: 152 rows kept, 68 rejected: 60 × unknown tool "x"; 8 × …", with the three commonest reasons; then what was
  /// converted and what was left out.
  std::string summary(const std::string& what) const;
  /// The three commonest reasons, "60 × …; 8 × …".
  std::string commonest() const;

 private:
  std::int64_t kept_ = 0, rejected_ = 0;
  std::map<std::string, std::int64_t> reasons_;  ///< by their kind, so that like ones meet
  ReadingNotes notes_;
};

}  // namespace retort::task
