// Utterances as OpenAI chat rows, the form in which datasets hold them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "grammar.h"

namespace retort::home {

/// "train", "validation" or "test". Throws std::invalid_argument for another.
Split split_named(const std::string& name);

/// {"messages": [user, assistant with tool_calls], "metadata": {"template": id, "kind": kind}}; without tool_calls when
/// no tool answers. Texts of the calls are in lower case, however the utterance is typed.
nlohmann::json to_chat_row(const Utterance& utterance);

}  // namespace retort::home
