// From a data set's file to what training sees: rows are read, tokenised once and counted; what cannot be trained on is
// left out with its reason. All training stages and their validation come this way. No LibTorch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "task/dataset.h"
#include "task/prompt_contract.h"
#include "train/hooks.h"
#include "train/sequences.h"

namespace retort::train {

/// The assistant turns of one file, each with what stands before it, before they are tokens.
struct LabelledRows {
  std::filesystem::path file;
  std::vector<task::Example> examples;
  std::vector<std::string> rejected;  ///< why, each with its line
  std::int64_t unlabelled = 0;        ///< rows without an assistant message: nothing is wrong with them
  task::ReadingNotes notes = {};      ///< what reading converted, and what no token shows
  std::int64_t empty_answers = 0;     ///< usable rows whose answer is neither a call nor text
};

/// Throws std::invalid_argument where no row is labelled, std::runtime_error where the file cannot be read.
LabelledRows read_labelled_rows(const std::filesystem::path& file);

/// Throws std::invalid_argument for a sequence of more tokens than the model holds.
void expect_length(const Sequence& sequence, std::int64_t max_length);

struct CorpusOptions {
  std::int64_t max_length = 0;       ///< tokens of prompt and response that the model holds
  double prompt_weight = 0;          ///< of the prompt's tokens as labels; 0 = responses only
  double max_rejected_share = 0.01;  ///< of the rows that may be unusable, in [0,1]
};

/// examples[i] is what sequences[i] was made from; sequences[i].example is i.
struct Corpus {
  std::vector<task::Example> examples;
  std::vector<Sequence> sequences;
};

/// Tokenises every row. One that the task cannot express, that has no token to learn from or more than max_length is
/// left out; the counts go to `hooks` ("examples", "rejected_rows", "unlabelled_rows", "empty_answers", and "losses":
/// what rows have that the form does not show), the first reasons and the kinds of losses to the log. Throws
/// std::runtime_error, naming count and reasons, where more than max_rejected_share of the rows are unusable, or all
/// are.
Corpus tokenised(LabelledRows rows, const task::PromptContract& contract, const text::Tokenizer& tokenizer,
                 const CorpusOptions& options, const RunHooks& hooks);

}  // namespace retort::train
