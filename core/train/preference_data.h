// What a preference loss learns from: pairs of answers to one prompt, or answers that are good or bad by themselves.
// No LibTorch.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "task/dataset.h"
#include "task/prompt_contract.h"
#include "train/answers.h"
#include "train/sequences.h"

namespace retort::train {

/// Indices into PreferenceData::sequences; -1: none, where sequences are not paired.
struct PreferenceItem {
  std::int64_t chosen = -1, rejected = -1;
  double weight = 1;
};

struct PreferenceData {
  std::vector<Sequence> sequences;
  std::vector<PreferenceItem> items;
};

/// A row of preferences: {"messages": […the prompt], "chosen": assistant message, "rejected": assistant message,
/// "weight"?: above 0}. Not paired, one of the two may be left out; a row with both makes two items then.
struct PreferenceRow {
  std::optional<task::Example> chosen, rejected;  ///< the prompt with its answer: calls, text or both
  double weight = 1;
  std::int64_t line = 0;  ///< 1-based
};

struct PreferenceRows {
  std::filesystem::path file;
  std::vector<PreferenceRow> rows;
  std::vector<task::RejectedRow> rejected;
};

/// Reads one JSONL file. Rows that cannot be used, and pairs of equal answers, go to `rejected`; more than
/// `max_rejected_share` of all are a std::runtime_error that names file, count and the first reasons, and so is a file
/// without a usable row.
PreferenceRows read_preferences(const std::filesystem::path& file, bool paired, double max_rejected_share);

/// The rows as tokens. Those that the model cannot hold or write, and pairs that it writes alike, go to `rejected`,
/// with the same limit to them as above.
PreferenceData to_preferences(PreferenceRows& rows, const task::PromptContract& contract,
                              const text::Tokenizer& tokenizer, std::int64_t max_length, bool paired,
                              double max_rejected_share);

/// Of every prompt's answers (which follow each other) the one with the highest score against the one with the lowest,
/// where these differ by more than `margin`; ties go to the earlier answer. Answers without a score do not take part.
/// `sequences[i]` is answers[i] with its prompt.
PreferenceData best_against_worst(const std::vector<Sequence>& sequences, const std::vector<SampledAnswer>& answers,
                                  const std::vector<host::RewardItem>& verdicts, const std::vector<double>& weights,
                                  double margin, bool paired);

/// Adds the sequences and items of `more`.
void append(PreferenceData& data, const PreferenceData& more);

/// Between processes.
nlohmann::json to_json(const PreferenceData& data);
PreferenceData preferences_from_json(const nlohmann::json& stored);

}  // namespace retort::train
