// Chat rows as people have them, as a dataset folder: one JSONL file or a folder of splits, tools beside them or in
// every row. Rows are read one by one; memory does not grow with their number.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "data/split_choice.h"
#include "task/row_file.h"

namespace retort::stages {

using data::SplitName;
using data::SplitShares;

struct ImportChatOptions {
  /// A JSONL file, or a folder with train.jsonl and maybe validation.jsonl and test.jsonl, or with one JSONL file.
  /// tools.json stands beside them, unless every row has "tools".
  std::filesystem::path path;
  SplitShares shares;                               ///< of train that become a split which has no file
  std::uint64_t seed = 0;                           ///< of that choice
  double max_rejected_share = 0.01;                 ///< of a file's rows
  std::int64_t first_rows = 0;                      ///< read so many of each file at most; 0: all
  task::ToolSet tools;                              ///< in place of tools.json; null: that file's
  std::filesystem::path output;                     ///< existing folder; empty: nothing is written
  std::function<void(std::int64_t rows)> progress;  ///< may throw to stop; may be empty
};

struct ImportedChat {
  std::size_t tools = 0;
  std::map<SplitName, std::int64_t> rows, unlabelled;
  std::map<std::string, task::RowTally> files;  ///< by the file's name
  std::int64_t held_out_in_train = 0;           ///< rows of validation and test whose words stand in train as well
  std::int64_t impossible_test = 0;             ///< rows of test whose calls no tool allows: they count as wrong
  std::map<std::string, std::int64_t> other_definitions;  ///< tools that rows define in several ways; the first is kept

  task::RowTally tally() const;  ///< of all files
};

/// Writes tools.json, train.jsonl, validation.jsonl, test.jsonl and rejected.jsonl into options.output. A row whose
/// calls its tools do not allow is rejected, but for rows of test, which are counted. Throws std::invalid_argument
/// where the path has no rows, a row's tools are nowhere, or no label of test can be made; std::runtime_error where
/// more than max_rejected_share of a file's rows are rejected, with the commonest reasons.
ImportedChat import_chat(const ImportChatOptions& options);

}  // namespace retort::stages
