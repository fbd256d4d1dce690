// What a teacher said about a data set once, to be learnt from without it: an artifact of kind "signals". No LibTorch.
//
// The folder holds signals.jsonl, a row for every sequence:
//   {"hash": sequence_hash() of prompt and response, "top_ids": [[k token ids, most likely first] for every token of
//    the response], "top_log_probs": [[k log-probabilities under the whole distribution] likewise]}
// and, where stage.signals wrote it, signals.json: {"tokenizer_sha256": of the tokenizer.json whose ids these are}.
// as {"hash": "9f…", "top_ids": [[12, 7], [4, 9]], "top_log_probs": [[-0.1, -2.9], [-0.02, -4.5]]}
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "train/sequences.h"

namespace retort::train {

class RecordedSignals {
 public:
  /// Of one sequence, n response tokens: row after row.
  struct Rows {
    std::vector<std::int64_t> top_ids;  ///< [n,k]
    std::vector<float> top_log_probs;   ///< [n,k]
  };

  /// Throws std::runtime_error, naming file and line, for a row that is not of this form, whose k is another than the
  /// first row's, or that gives a probability mass above 1.
  explicit RecordedSignals(const std::filesystem::path& folder);
  std::int64_t top_k() const { return k_; }
  bool holds(const Sequence& sequence) const { return rows_.contains(sequence.hash); }

  /// Throws std::runtime_error, naming the sequence, unless all of `sequences` are there with a row for each token of
  /// their response and ids below `vocabulary`. Once, before work. With `allow_missing` those that are not there are
  /// left to the caller; returns their number.
  std::int64_t expect_holds(const std::vector<Sequence>& sequences, std::int64_t vocabulary,
                            bool allow_missing = false) const;
  /// Throws std::invalid_argument where the signals say that they were made with another tokenizer.
  void expect_tokenizer(const text::Tokenizer& tokenizer) const;
  /// Throws std::runtime_error where the sequence is not there.
  const Rows& of(const Sequence& sequence) const;

 private:
  std::filesystem::path file_;
  std::int64_t k_ = 0;
  std::string tokenizer_sha256_;      ///< empty: not said
  std::map<std::string, Rows> rows_;  ///< by hash
};

}  // namespace retort::train
