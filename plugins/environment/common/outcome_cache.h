// Outcomes of calls that were executed before, in memory and, where asked for, in a file that later runs read.
#pragma once

#include <cstddef>
#include <fstream>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace retort::environments {

/// Any thread.
class OutcomeCache {
 public:
  /// `most`: outcomes that are kept, 0: none, and nothing is read or written. `file`: JSON lines that are read now and
  /// added to; empty: memory only. A last line that a killed run left half is passed over. Throws std::invalid_argument
  /// for a file that holds something else, std::runtime_error for one that cannot be read or written.
  OutcomeCache(std::size_t most, const std::string& file);
  bool enabled() const { return most_ > 0; }
  std::size_t size() const;

  /// 32 hexadecimal digits of what came before and what comes now.
  static std::string key_of(std::string_view before, std::string_view now);
  std::optional<std::string> find(const std::string& key) const;
  /// Nothing once `most` are kept, or where nothing is kept at all.
  void add(const std::string& key, const std::string& outcome);

 private:
  void read(const std::string& file);

  std::size_t most_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::string> outcomes_;
  std::string file_;
  std::ofstream out_;
};

}  // namespace retort::environments
