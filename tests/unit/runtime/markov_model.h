// A packaged model with a known answer: a Llama whose layers add nothing and whose head maps each token to one next
// token. What it generates follows from the last token alone, so tests can say what the right output is.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "task/call.h"

namespace retort::runtime::testing {

/// {"name": "light_set", arguments "room" (string), "state" (string, on or off)} and {"name": "alarm_cancel"}.
std::vector<task::Tool> light_tools();

/// Writes a complete folder (config.json, weights, tokenizer.json, retort.json with the task). `next` names, for a
/// token by its text, the token that follows it; every other token is followed by <|end|>.
void write_markov_model(const std::filesystem::path& folder,
                        const std::vector<std::pair<std::string, std::string>>& next);

}  // namespace retort::runtime::testing
