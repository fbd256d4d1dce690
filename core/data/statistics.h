// What a data set is made of, counted in one pass: rows, turns, calls, tools, arguments, lengths, repetitions,
// contradictions.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "data/data_rows.h"
#include "task/row_file.h"

namespace retort::data {

struct ToolCount {
  std::int64_t calls = 0;                         ///< in last answers
  std::map<std::string, std::int64_t> arguments;  ///< in how many of these calls each argument stands
};

struct SplitStatistics {
  task::RowTally rows;
  std::int64_t unlabelled = 0;
  std::int64_t no_call = 0;        ///< last answers that are text alone, or nothing
  std::int64_t with_context = 0;   ///< rows with a system text, earlier turns or tool results
  std::int64_t own_tools = 0;      ///< rows with tools of their own
  std::int64_t repeated = 0;       ///< words and answer of an earlier row of the split
  std::int64_t in_earlier = 0;     ///< words of a row of an earlier split
  std::int64_t contradicting = 0;  ///< words of an earlier row of the data set, and another answer
  std::map<std::size_t, std::int64_t> calls_per_answer;
  std::map<std::size_t, std::int64_t> words_per_row;  ///< of all user messages; more than 1,000 count as 1,000
  std::map<std::string, ToolCount> tools;
};

/// Words at the `share` of rows (0.5: the median); 0 without rows.
std::size_t quantile(const std::map<std::size_t, std::int64_t>& counts, double share);

/// Takes rows in the order of for_each_row. Memory: 24 bytes a different text, and what is counted.
class Statistics {
 public:
  void take(const DataRow& row);
  /// In the order in which their first rows came.
  const std::vector<std::pair<std::string, SplitStatistics>>& splits() const { return splits_; }

 private:
  struct Known {
    std::uint32_t split;
    std::uint64_t answer;
  };
  std::vector<std::pair<std::string, SplitStatistics>> splits_;
  std::unordered_map<std::uint64_t, Known> known_;  ///< by the hash of a row's words
};

/// {"splits": {"train": {"rows", "rejected", …, "tools": {"name": {"calls", "share", "arguments"}}}}}
nlohmann::json to_json(const std::vector<std::pair<std::string, SplitStatistics>>& splits);
/// Lines for a terminal; tools with the most calls first, `most_tools` of them.
std::string to_text(const std::vector<std::pair<std::string, SplitStatistics>>& splits, std::size_t most_tools);

}  // namespace retort::data
