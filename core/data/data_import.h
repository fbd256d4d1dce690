// Rows of other programs as a data set: one pass, or two where the tools have to be found out first.
#pragma once

#include <filesystem>

#include "data/data_jobs.h"
#include "data/row_sources.h"

namespace retort::data {

struct ImportReport : JobReport {
  std::size_t tools = 0;
  bool derived = false;                             ///< the tools, from the calls of all splits but test
  std::map<std::string, std::int64_t> passed_over;  ///< what is no row and no fault
  std::int64_t impossible_test = 0;  ///< rows of test whose calls no tool allows: they stay, and count as wrong
};

/// Writes train.jsonl, validation.jsonl and test.jsonl, tools.json and, for what cannot be used, rejected.jsonl with
/// the file, the line and the reason. Rows keep tools of their own; for others `source.tools` hold, or what the calls
/// show. Throws std::invalid_argument where there is no row at all.
ImportReport import_rows(const SourceOptions& source, const std::filesystem::path& to, const RowProgress& progress);

}  // namespace retort::data
