// Signals of a teacher that is only asked over an interface: the log-probabilities that come with its answers, where
// these are the data set's and its tokens the student's, or those that it gives to the data set's answers. No LibTorch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "task/row_file.h"
#include "text/tokenizer.h"
#include "train/hooks.h"
#include "train/signal_file.h"

namespace retort::train {

/// Reads tokens as {"token": text, "bytes"?: [its bytes], "id"?, "logprob", "top_logprobs": [the same]}.
class AnswerTokens {
 public:
  /// The tokenizer is borrowed.
  AnswerTokens(const text::Tokenizer& tokenizer, std::int64_t top_k);
  /// Of the "logprobs" of chat answers (retort/abi/teacher.h; OpenAI's "content"). Throws std::invalid_argument, saying
  /// what was expected and found, unless the tokens are exactly `response` and each comes with the top_k likeliest, all
  /// tokens of the tokenizer. An id that is given must be the token's text.
  SignalRows rows(const nlohmann::json& logprobs, const std::vector<text::TokenId>& response) const;
  /// Of the "tokens" of scores, where the teacher was given the ids of `response`. Likewise; an id counts by itself,
  /// and its text, if any, may lack a space before it or have signs in place of bytes that are no text.
  SignalRows scored_rows(const nlohmann::json& tokens, const std::vector<text::TokenId>& response) const;

 private:
  using IdOf = text::TokenId (AnswerTokens::*)(const nlohmann::json& token) const;
  text::TokenId id_of(const nlohmann::json& token) const;
  text::TokenId scored_id_of(const nlohmann::json& token) const;
  bool may_be(text::TokenId id, const std::string& shown) const;
  void append_top(const nlohmann::json& token, IdOf identify, SignalRows& rows) const;

  const text::Tokenizer& tokenizer_;
  std::size_t top_k_;
  std::unordered_map<std::string, text::TokenId> by_bytes_;  ///< −1: several
};

struct AnswerSignalJob {
  std::filesystem::path dataset;     ///< whose train.jsonl is asked about
  std::filesystem::path student;     ///< model folder, whose tokenizer and task make the rows
  std::int64_t top_k = 20;           ///< tokens kept at each place
  std::int64_t batch_size = 32;      ///< rows asked about together
  double max_rejected_share = 0.01;  ///< of the rows that may be unusable
  std::filesystem::path output;      ///< existing folder
  bool scores = false;               ///< the data set's answers are given as tokens, and none is asked for
};

struct AnswerSignalReport {
  SignalAmount amount;
  task::RowTally rows;  ///< rejected: those without signals, by reason
};

/// Answers `requests` of host/algorithm/teacher_call.h, of its complete(), or of its score() for a job of scores, in
/// their order, each an item; `first` is the number of the first one's row. `tools` is JSON text.
using AskRows = std::function<std::vector<nlohmann::json>(const std::string& tools, std::size_t first,
                                                          const std::vector<nlohmann::json>& requests)>;

/// Rows that are answered otherwise, or in other tokens, are left out and counted; of scores those that are refused.
/// Throws as tokenised(), and std::runtime_error with the commonest reasons where no row is left.
AnswerSignalReport record_answer_signals(const AnswerSignalJob& job, const AskRows& ask, const RunHooks& hooks);

}  // namespace retort::train
