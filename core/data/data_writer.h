// A data set folder that is written row by row and is there when it is whole: until then its name ends in ".part".
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "data/data_rows.h"

namespace retort::data {

/// Used by one thread at a time. What was not finished is removed with the object.
class DataWriter {
 public:
  /// Throws std::invalid_argument where `folder` or what is unfinished of it is there already, std::runtime_error where
  /// it cannot be made.
  explicit DataWriter(const std::filesystem::path& folder);
  ~DataWriter();
  DataWriter(const DataWriter&) = delete;
  DataWriter& operator=(const DataWriter&) = delete;

  /// One line of SPLIT.jsonl.
  void keep(const std::string& split, const std::string& text);
  /// One line of rejected.jsonl: {"line", "reason", "text"}, the reason behind "SPLIT: ".
  void reject(const DataRow& row, const std::string& reason);
  void copy(const std::filesystem::path& file);  ///< beside the rows, where it is there
  void add(const std::string& name, const std::string& content);
  /// Throws std::runtime_error where anything could not be written.
  void finish();

 private:
  std::ofstream& stream(const std::string& name);
  std::filesystem::path folder_, part_;
  std::map<std::string, std::ofstream> streams_;
  bool finished_ = false;
};

}  // namespace retort::data
