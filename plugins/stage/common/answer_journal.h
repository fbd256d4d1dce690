// Answers of a run, kept as they come: a run that was killed asks again only for what it did not get.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace retort::stages {

/// A file of lines {"row": index, "request": hash, "answer": item}. A line counts for a row only if its request is the
/// same; a last line that was cut short, and what stands behind a broken one, is dropped. Answers stay on the disk; in
/// memory are 24 bytes for each that the file held when it was opened. Used by one thread at a time.
class AnswerJournal {
 public:
  /// Reads what `file` holds, if it is there, and opens it to append. Throws std::runtime_error naming the file.
  explicit AnswerJournal(const std::filesystem::path& file);
  ~AnswerJournal();
  AnswerJournal(const AnswerJournal&) = delete;
  AnswerJournal& operator=(const AnswerJournal&) = delete;

  /// Answers that the file held when it was opened.
  std::size_t size() const { return places_.size(); }
  std::optional<nlohmann::json> find(std::size_t row, std::string_view request) const;
  /// The answer is with the system when this returns, and survives the end of the process. Throws std::runtime_error
  /// when it cannot be written.
  void add(std::size_t row, std::string_view request, const nlohmann::json& answer);
  /// Everything is on the disk when this returns.
  void sync() const;

 private:
  struct Place {
    std::uint64_t row, begin;
    std::uint32_t bytes, order;  ///< of two lines of a row, the one that came later counts
  };
  std::uint64_t read();  ///< returns the bytes that count
  std::string line_at(const Place& place) const;

  std::filesystem::path file_;
  int descriptor_ = -1;
  std::vector<Place> places_;  ///< by row
};

}  // namespace retort::stages
