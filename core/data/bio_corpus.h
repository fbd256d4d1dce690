// Intent and slot corpora in BIO notation (SNIPS, ATIS, …) as function calls: the intent is the tool, the slots are its
// arguments. Three line-aligned files a split: seq.in (tokens), seq.out (O, B-slot, I-slot), label (the intent).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "task/dataset.h"

namespace retort::data {

/// One row: PlayMusic, "play some jazz", "O O B-genre" → PlayMusic{"genre": "jazz"}. Tokens are joined by single
/// spaces; a slot that occurs more than once becomes a list of its values in order. Throws std::invalid_argument:
/// counts that differ, a tag that is none, an I- tag that continues nothing, a label that cannot name a tool.
task::Example to_example(std::string_view tokens, std::string_view tags, std::string_view label);

/// Reads <folder>/seq.in, seq.out and label. Rows that to_example refuses go to `rejected`. Throws std::runtime_error
/// when a file cannot be read or the files' line counts differ.
task::Split read_bio(const std::filesystem::path& folder);

/// One tool for each intent, with one optional argument for each slot seen with it, names in ascending order: a list of
/// strings where a row has the slot more than once, else a string.
std::vector<task::Tool> derive_tools(const std::vector<task::Example>& examples);

/// Single values of arguments that the tools take as lists become lists of one.
void make_lists(std::vector<task::Example>& examples, const std::vector<task::Tool>& tools);

/// Takes the calls off examples drawn evenly by `seed`; of n the nearest whole number to `share` of n keep theirs, one
/// at least where share is above 0. Order stays. Returns how many keep them. Expects share from 0 to 1.
std::size_t hide_labels(std::vector<task::Example>& examples, double share, std::uint64_t seed);

struct ImportedCorpus {
  std::vector<task::Tool> tools;  ///< from train and validation, as test must not tell what exists
  std::vector<task::Example> train, validation, test;
  std::vector<task::RejectedRow> rejected;  ///< each reason begins with its split
  std::int64_t test_utterances_in_train = 0;
  std::int64_t test_without_tool = 0;  ///< rows of test that call what neither other split has: they count as wrong
};

/// <folder>/train, valid and test. Throws std::runtime_error as read_bio does, and when more than `max_rejected_share`
/// of all rows are rejected.
ImportedCorpus import_bio(const std::filesystem::path& folder, double max_rejected_share);

}  // namespace retort::data
