// What a teacher said about a data set once, to be learnt from without it: an artifact of kind "signals", whose one
// file signal_file.h describes. It is mapped into memory, and a row is read when it is asked for. No LibTorch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/mapped_file.h"
#include "train/sequences.h"
#include "train/signal_file.h"

namespace retort::train {

/// Immutable. [any-thread]
class RecordedSignals {
 public:
  using Rows = SignalRows;

  /// Throws std::runtime_error, naming file, what was expected and found, for a file that is no such file, of another
  /// version, cut short, longer than its header says, or changed in header or index.
  explicit RecordedSignals(const std::filesystem::path& folder);
  std::int64_t top_k() const { return about_.top_k; }
  std::int64_t rows() const { return rows_; }
  const SignalAbout& about() const { return about_; }
  bool holds(const Sequence& sequence) const { return find(sequence).has_value(); }

  /// Throws std::runtime_error, naming the sequence, unless all of `sequences` are there, unchanged, with a row for
  /// each token of their response and ids below `vocabulary`. Once, before work. With `allow_missing` those that are
  /// not there are left to the caller; returns their number.
  std::int64_t expect_holds(const std::vector<Sequence>& sequences, std::int64_t vocabulary,
                            bool allow_missing = false) const;
  /// Throws std::invalid_argument where the signals were made with another tokenizer.
  void expect_tokenizer(const text::Tokenizer& tokenizer) const;
  /// Throws std::runtime_error where the sequence is not there.
  Rows of(const Sequence& sequence) const;

 private:
  struct Found {
    std::string_view tokens;
    std::uint64_t checksum;
  };
  std::optional<Found> find(const Sequence& sequence) const;
  Found expect(const Sequence& sequence) const;
  [[noreturn]] void refuse(const std::string& expected, const std::string& found) const;
  void read_header();

  std::filesystem::path file_;
  std::unique_ptr<const model::MappedFile> mapped_;
  SignalAbout about_;
  std::int64_t rows_ = 0;
  std::string_view data_, index_;  ///< parts of the mapped file
};

}  // namespace retort::train
