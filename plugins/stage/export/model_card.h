// README.md of an exported model: what it is, how to use it, what was measured. Every number comes from the arguments.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "task/call.h"

namespace retort::stages {

struct ModelCard {
  std::string title;
  std::string name;  ///< of the model's stage: its row of the table stands out
  std::string architecture;
  std::int64_t parameters = 0;
  std::int64_t bytes = 0;  ///< of the weights as stored
  bool quantized = false;
  std::string weights = "F32";  ///< how they are stored: "int4 in groups of 64 and int8"
  std::vector<task::Tool> tools;
  std::string example_utterance;  ///< of the command line shown
  nlohmann::json report;          ///< evaluation.json, or null
  nlohmann::json lineage;         ///< array as lineage.h makes it
  std::string verdict;            ///< of stage.verify: "proved" or "failed: …"; empty: not verified
};

/// Markdown, with the front matter that model hubs read.
std::string to_markdown(const ModelCard& card);

}  // namespace retort::stages
