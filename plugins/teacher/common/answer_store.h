// Answers of teachers by the hash of their request: what was answered once is never asked again, by no run that uses
// the same folder. <folder>/answers.jsonl holds lines {"key": hash, "answer": item} or, written by hand,
// {"request": chat request with its "tools", "answer": item}; the last line of a key counts. Lines {"identity": text}
// name who answered, where hashes hold an "identity".
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "line_file.h"

namespace retort::teacher {

/// SHA-256 of what is asked, its first 128 bits as hexadecimal digits. `asked` holds everything that the answer depends
/// on: messages, tools, every sampling parameter, the model, and the number of the sample.
std::string request_key(const nlohmann::json& asked);

/// Index in memory (about 80 bytes an answer), answers on the disk. [any-thread]
class AnswerStore {
 public:
  /// Makes folder and file. Throws std::runtime_error naming the file.
  explicit AnswerStore(const std::filesystem::path& folder);

  /// Sees what other objects and processes appended. A line that cannot be read is no answer.
  std::optional<nlohmann::json> find(const std::string& key);
  /// The answer survives the end of the process when this returns. Throws std::runtime_error naming the file.
  void add(const std::string& key, const nlohmann::json& answer);
  void sync();
  /// Says that answers of `identity` are here: "" for those whose hash holds none. Written once.
  void name(const std::string& identity);
  /// All that were named, and those of requests that were written by hand.
  std::set<std::string> identities();
  std::size_t size();
  /// Lines that are neither form, such as one that was being written when a process was killed.
  std::size_t unreadable();

 private:
  using Hash = std::array<std::uint64_t, 2>;
  struct Place {
    std::uint64_t offset;
    std::uint32_t length;
  };
  static std::optional<Hash> to_hash(std::string_view hexadecimal);
  void read_new();
  void index(std::uint64_t offset, std::string_view line);

  std::mutex mutex_;
  LineFile file_;
  std::map<Hash, Place> places_;  ///< of whole lines
  std::set<std::string> identities_;
  std::size_t unreadable_ = 0;
};

/// The store of `folder` that this library has open, or a new one: all components of a library share one.
std::shared_ptr<AnswerStore> shared_store(const std::filesystem::path& folder);

}  // namespace retort::teacher
