// What stands beside the weights in a folder that a Retort stage made: tokenizer and task. No LibTorch.
#pragma once

#include <filesystem>

#include "task/prompt_contract.h"
#include "text/tokenizer.h"

namespace retort::train {

struct TaskFiles {
  text::Tokenizer tokenizer;
  task::PromptContract contract;
};

/// tokenizer.json, and the task in retort.json. Throws std::invalid_argument where the model knows no task, and as
/// ModelFolder and Tokenizer::load.
TaskFiles load_task_files(const std::filesystem::path& folder);

/// The same two, for stages that write the weights themselves.
void save_task_files(const std::filesystem::path& folder, const text::Tokenizer& tokenizer,
                     const task::PromptContract& contract);

}  // namespace retort::train
