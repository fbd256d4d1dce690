// The calibration sequences of a compression stage, from its data set. Internal to core/train.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "train/compression_pass.h"

namespace retort::train {

/// What stands beside the weights in a folder that a Retort stage made.
struct TaskFiles {
  text::Tokenizer tokenizer;
  task::PromptContract contract;
};
TaskFiles load_task_files(const std::filesystem::path& folder);

/// Every example of train.jsonl, tokenised. `whose` asks for them. Throws std::invalid_argument where there is no data
/// set, or it is empty.
std::vector<Sequence> calibration_sequences(const std::optional<std::filesystem::path>& dataset, const TaskFiles& task,
                                            std::int64_t max_positions, const std::string& whose);

}  // namespace retort::train
