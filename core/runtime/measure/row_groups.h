// Groups of a labelled data set's rows by what makes a row easy or hard, so that a score can be read group by group.
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "task/call.h"
#include "task/dataset.h"

namespace retort::runtime {

/// What a training split held.
class TrainingValues {
 public:
  /// The free strings (task/free_strings.h) of the labelled rows of `folder`/train.jsonl, in constant memory but for
  /// the strings themselves; rows that cannot be read are passed over. Nothing where there is no such file, no
  /// tools.json beside it, or no labelled row.
  static std::optional<TrainingValues> read(const std::filesystem::path& folder);
  TrainingValues(std::vector<task::Tool> tools, std::set<std::string> values)
      : tools_(std::move(tools)), values_(std::move(values)) {}

  /// Whether the calls have free strings, and whether training held each of them (without regard to case).
  bool has_values(const std::vector<task::Call>& calls) const;
  bool holds_all(const std::vector<task::Call>& calls) const;

 private:
  std::vector<task::Tool> tools_;
  std::set<std::string> values_;
};

/// The groups of a labelled row:
///   "kind: K"            metadata.kind, where it is a text
///   "calls: none", "calls: one", "calls: several"
///   "turns: several"     where earlier turns stand before the question
///   "values: none", "values: all seen in training", "values: one or more unseen"    where `training` is known
std::vector<std::string> groups_of(const task::Example& example, const std::optional<TrainingValues>& training);

}  // namespace retort::runtime
