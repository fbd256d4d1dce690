// Intent and slot corpora in BIO notation (SNIPS, ATIS, …) as function calls: the intent is the tool, the slots are its
// arguments. Three line-aligned files a split: seq.in (tokens), seq.out (O, B-slot, I-slot), label (the intent).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "task/dataset.h"
#include "task/row_file.h"

namespace retort::data {

/// One row: PlayMusic, "play some jazz", "O O B-genre" → PlayMusic{"genre": "jazz"}. Tokens are joined by single
/// spaces; a slot that occurs more than once becomes a list of its values in order. Throws std::invalid_argument:
/// counts that differ, a tag that is none, an I- tag that continues nothing, a label that cannot name a tool.
task::Example to_example(std::string_view tokens, std::string_view tags, std::string_view label);

/// A line of each of the three files.
struct BioLine {
  std::int64_t number = 0;  ///< 1-based
  std::string tokens, tags, label;
  /// As it stands in rejected.jsonl.
  std::string text() const { return tokens + "\t" + tags + "\t" + label; }
};

/// Reads <folder>/seq.in, seq.out and label together, in constant memory; plain or gzipped. Throws std::runtime_error
/// when a file cannot be read or the files' line counts differ, after the last line that they share.
void for_each_bio_line(const std::filesystem::path& folder, const std::function<void(const BioLine& line)>& take);

/// One tool for each intent, with one optional argument for each slot seen with it, names in ascending order: a list of
/// strings where a row has the slot more than once, else a string. Memory grows with intents and slots alone.
class BioTools {
 public:
  void take(const task::Call& call);
  std::vector<task::Tool> tools() const;

 private:
  std::map<std::string, std::map<std::string, bool>> slots_;  ///< by intent: whether a row has the slot more than once
};

/// Which of `count` rows keep their labels, drawn evenly by `seed`: the nearest whole number to `share` of them, one at
/// least where share is above 0. Throws std::invalid_argument unless share is from 0 to 1.
std::vector<bool> labelled_rows(std::size_t count, double share, std::uint64_t seed);

struct BioOptions {
  double max_rejected_share = 0.01;  ///< of all rows
  double labelled_share = 1;         ///< of the training rows: the others lose their calls, see labelled_rows
  std::uint64_t seed = 0;            ///< of that draw
};

/// Where rows go: "train", "validation" and "test", one after the other, in the order of the files.
struct BioRows {
  std::function<void(const std::string& split, const task::Example& example)> keep;
  std::function<void(const task::RejectedRow& row)> reject;  ///< each reason begins with the folder's name
};

struct BioReport {
  std::vector<task::Tool> tools;  ///< from train and validation, as test must not tell what exists
  std::map<std::string, std::int64_t> splits;
  std::int64_t labelled = 0;  ///< rows of train that keep their calls
  task::RowTally tally;
  std::int64_t test_utterances_in_train = 0;
  std::int64_t test_without_tool = 0;  ///< rows of test that call what neither other split has: they count as wrong
};

/// <folder>/train, valid and test: the first two are read twice, as the tools decide what is a list. Holds 64 bits of
/// each training utterance and no rows. Throws std::runtime_error as for_each_bio_line does, and when more than
/// max_rejected_share of all rows are rejected; what rows got by then is void.
BioReport import_bio(const std::filesystem::path& folder, const BioOptions& options, const BioRows& rows);

}  // namespace retort::data
