// One pass over a data set that keeps rows or leaves them out: its files, its output and what became of the rows.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "data/data_jobs.h"
#include "data/data_rows.h"
#include "data/data_writer.h"

namespace retort::data {

class DataPass {
 public:
  DataPass(const std::filesystem::path& from, const std::filesystem::path& to, const RowProgress& progress);

  const std::vector<DataFile>& files() const { return files_; }
  /// tools.json beside the rows; none where it is not there.
  std::vector<task::Tool> shared_tools() const;
  /// dataset_info.json, as LLaMA-Factory looks it up.
  void add_llama_factory_info(bool ranking);

  /// Calls `decide` for rows that can be used, which keeps or removes each; then the output is whole.
  JobReport run(const std::function<void(DataRow& row)>& decide);
  void keep(const std::string& split, const std::string& text);
  void remove(const DataRow& row, const std::string& kind, const std::string& reason);
  void changed(const std::string& what, std::int64_t times) { report_.changed[what] += times; }

 private:
  std::filesystem::path from_, to_;
  std::vector<DataFile> files_;
  DataWriter writer_;
  const RowProgress& progress_;
  JobReport report_;
};

}  // namespace retort::data
