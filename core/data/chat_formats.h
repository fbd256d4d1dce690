// Rows in the forms that other trainers read.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "task/conversation.h"

namespace retort::data {

enum class ChatFormat {
  openai,        ///< OpenAI's fine-tuning rows: arguments as JSON text
  trl,           ///< TRL: "messages" with arguments as objects, "tools" as JSON text
  axolotl,       ///< axolotl's chat_template: OpenAI's rows with "tools" as JSON text; "train" false: not to be learnt
  llama_factory  ///< LLaMA-Factory's sharegpt: "conversations" of human, gpt, function_call, observation; "tools",
                 ///< "system"
};

/// "openai", "trl", "axolotl", "llama-factory". Throws std::invalid_argument for another name.
ChatFormat chat_format(const std::string& name);

/// A row of a labelled conversation with the tools that it may call. Throws std::invalid_argument where the format has
/// no place for what the row holds: for llama_factory a system text that is not first, or turns that do not alternate.
nlohmann::json in_format(const task::Conversation& conversation, const std::vector<task::Tool>& tools,
                         ChatFormat format);

/// dataset_info.json of LLaMA-Factory: {"NAME_SPLIT": {"file_name": "SPLIT.jsonl", …}}; with `ranking`, of pairs.
nlohmann::json llama_factory_info(const std::string& name, const std::vector<std::string>& splits,
                                  bool ranking = false);

}  // namespace retort::data
