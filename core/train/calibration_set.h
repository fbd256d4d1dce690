// The calibration data of pruners, sparsifiers and quantizers, from a data set. Internal to core/train.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "task/dataset.h"
#include "train/compression_pass.h"
#include "train/corpus.h"
#include "train/task_files.h"

namespace retort::train {

/// `split`, read from `file`, as tokens, labelled or not. A row that the task cannot show or of more than
/// options.max_length tokens is left out and said. Throws std::runtime_error where more than options.max_rejected_share
/// of the rows cannot be used.
Corpus calibration_corpus(task::Split split, const std::filesystem::path& file, const task::PromptContract& contract,
                          const text::Tokenizer& tokenizer, const CorpusOptions& options, const RunHooks& hooks);

/// Every example of train.jsonl. `whose` asks for them. Throws std::invalid_argument where there is no data set, or it
/// is empty; otherwise as calibration_corpus().
std::vector<Sequence> calibration_sequences(const std::optional<std::filesystem::path>& dataset, const TaskFiles& task,
                                            const CorpusOptions& options, const std::string& whose,
                                            const RunHooks& hooks);

}  // namespace retort::train
