// Whole passes over a data set: what `retort data` does.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "data/chat_formats.h"
#include "data/personal_data.h"
#include "data/split_choice.h"
#include "task/conversation.h"

namespace retort::data {

struct JobReport {
  std::int64_t read = 0, kept = 0, unusable = 0;  ///< rows; unusable ones are in rejected.jsonl
  std::map<std::string, std::int64_t> removed;    ///< rows by why they were left out; they are in rejected.jsonl too
  std::map<std::string, std::int64_t> splits;     ///< rows kept
  std::map<std::string, std::int64_t> changed;    ///< what was replaced in rows
  task::ReadingNotes notes;
};

/// Called for every 1,024 rows with their number; may throw to stop, and nothing is left behind.
using RowProgress = std::function<void(std::int64_t rows)>;

/// Leaves out rows that an earlier row of the same split has said: the same words and answer, or, with
/// `similarity` < 1, nearly the same words and the same answer. `any_answer`: whatever the answer.
JobReport remove_duplicates(const std::filesystem::path& from, const std::filesystem::path& to, double similarity,
                            bool any_answer, const RowProgress& progress);

/// Leaves out rows for training that hold what a reference row asks (contamination.h). References: the rows of
/// `against`, or, where it is empty, those of the splits validation and test, which are kept. Throws
/// std::invalid_argument where there are no references.
JobReport remove_contaminated(const std::filesystem::path& from, const std::filesystem::path& to,
                              const std::filesystem::path& against, std::size_t n_gram, double least_share,
                              const RowProgress& progress);

/// Cuts one file into train, validation and test, stratified by the tools that are called; rows of the same words stay
/// together, unlabelled ones go to train. Throws std::invalid_argument where `from` has splits already.
JobReport split_rows(const std::filesystem::path& from, const std::filesystem::path& to, SplitShares shares,
                     std::uint64_t seed, const RowProgress& progress);

/// Leaves at most `most` rows for training of each set of tools that rows call, evenly over the file. Two passes.
JobReport balance_rows(const std::filesystem::path& from, const std::filesystem::path& to, std::int64_t most,
                       const RowProgress& progress);

/// Replaces personal data in every row; rows without any keep their bytes.
JobReport redact_rows(const std::filesystem::path& from, const std::filesystem::path& to, const PersonalData& personal,
                      const RowProgress& progress);

/// Writes every labelled row as another trainer reads it; rows that the format has no place for are rejected.
JobReport export_rows(const std::filesystem::path& from, const std::filesystem::path& to, ChatFormat format,
                      const RowProgress& progress);

}  // namespace retort::data
