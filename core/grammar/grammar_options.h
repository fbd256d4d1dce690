// Options of a task as JSON: "grammar" of the task in a package's retort.json, and `retort call --enums`.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "grammar/program_builder.h"

namespace retort::grammar {

/// {"values_from_utterance": false, "no_call": true, "ask_back": false, "enums": {TOOL: {ARGUMENT: [TEXT, …]}}}, all
/// optional. Throws std::invalid_argument: origin, JSON pointer, expected, found; an unknown key too.
GrammarOptions grammar_options(const nlohmann::json& json, const std::string& origin);

/// What is not by default, so that grammar_options() reads the same.
nlohmann::json grammar_options_json(const GrammarOptions& options);

/// {TOOL: {ARGUMENT: [TEXT, …]}}: added to `options` in place of what stands there for the same argument.
void add_enums(GrammarOptions& options, const nlohmann::json& json, const std::string& origin);

}  // namespace retort::grammar
