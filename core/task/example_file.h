// The examples of one split, one after the other in constant memory.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "task/dataset.h"

namespace retort::task {

/// Used by one thread at a time.
class ExampleFile {
 public:
  using Reject = std::function<void(RejectedRow row)>;
  /// `reject` gets each row that is not JSON, or not a chat row; it may be empty. Throws as RowFile.
  explicit ExampleFile(const std::filesystem::path& file, Turns turns = Turns::last, Reject reject = {});

  /// False at the end. Throws what host::throw_if_stop_requested() does.
  bool next(Example& example);
  /// Of the rows read so far, which may be fewer or more than examples.
  const RowTally& tally() const { return tally_; }

 private:
  void read_row(const std::string& text);

  RowFile rows_;
  Turns turns_;
  Reject reject_;
  RowTally tally_;
  std::deque<Example> waiting_;  ///< of a row of several turns
};

/// Throws std::runtime_error naming file, count and reasons (`first` are some of the rejected rows) where `tally`
/// exceeds the share.
void expect_usable(const std::filesystem::path& file, const RowTally& tally, const std::vector<RejectedRow>& first,
                   double max_rejected_share);

/// Looks at `from` as read_split does, and copies it to `to` without the lines that cannot be used, so that no later
/// stage meets them. Returns these; nothing where `from` is not there.
std::optional<std::vector<RejectedRow>> pass_on_rows(const std::filesystem::path& from, const std::filesystem::path& to,
                                                     double max_rejected_share);

/// Of a data set, beside train.jsonl.
inline constexpr std::array<const char*, 2> held_out_files = {"validation.jsonl", "test.jsonl"};

/// What every stage does with validation.jsonl and test.jsonl of a data set: pass_on_rows() of each that is there.
/// Returns the rows that were left out, with the file's name in their reasons.
std::vector<RejectedRow> pass_on_held_out(const std::filesystem::path& from, const std::filesystem::path& to,
                                          double max_rejected_share);

/// Lines into an open descriptor, written in pieces of a megabyte. Throws std::system_error.
class LineWriter {
 public:
  explicit LineWriter(int descriptor) : descriptor_(descriptor) {}
  void add(const std::string& text);
  void flush();  ///< without it, the last lines are lost

 private:
  int descriptor_;
  std::string held_;
};

}  // namespace retort::task
