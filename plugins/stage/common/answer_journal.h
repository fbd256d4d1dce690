// Answers of a run, kept as they come: a run that was killed asks again only for what it did not get.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace retort::stages {

/// A file of lines {"row": index, "request": hash, "answer": item}. A line counts for a row only if its request is the
/// same; a last line that was cut short, and what stands behind a broken one, is dropped. Used by one thread at a time.
class AnswerJournal {
 public:
  /// Reads what `file` holds, if it is there, and opens it to append. Throws std::runtime_error naming the file.
  explicit AnswerJournal(const std::filesystem::path& file);
  ~AnswerJournal();
  AnswerJournal(const AnswerJournal&) = delete;
  AnswerJournal& operator=(const AnswerJournal&) = delete;

  /// Answers that the file held when it was opened.
  std::size_t size() const { return answers_.size(); }
  std::optional<nlohmann::json> find(std::size_t row, std::string_view request) const;
  /// The answer is with the system when this returns, and survives the end of the process. Throws std::runtime_error
  /// when it cannot be written.
  void add(std::size_t row, std::string_view request, const nlohmann::json& answer);
  /// Everything is on the disk when this returns.
  void sync() const;

 private:
  struct Known {
    std::string request;
    nlohmann::json answer;
  };
  std::size_t read(std::string_view text);  ///< returns the bytes that count

  std::filesystem::path file_;
  int descriptor_ = -1;
  std::map<std::size_t, Known> answers_;
};

}  // namespace retort::stages
