// Options of a task as JSON: "grammar" of the task in a package's retort.json, and `retort call --enums`.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "grammar/program_builder.h"

namespace retort::grammar {

/// {"values_from_utterance": false, "no_call": true, "most_calls": 0, "ask_back": false,
///  "enums": {TOOL: {ARGUMENT: [TEXT, …]}}}, all optional. Throws std::invalid_argument: origin, JSON pointer,
///  expected, found; an unknown key too.
GrammarOptions grammar_options_from_json(const nlohmann::json& json, const std::string& origin);
/// What grammar_options_from_json() reads, every key written.
nlohmann::json to_json(const GrammarOptions& options);

/// {TOOL: {ARGUMENT: [TEXT, …]}}: added to `options` in place of what stands there for the same argument.
void add_enums(GrammarOptions& options, const nlohmann::json& json, const std::string& origin);

/// The options for a conversation that brings tools of its own: without the enums of tools that are not among `names`.
GrammarOptions options_for(GrammarOptions options, const std::vector<std::string>& names);

}  // namespace retort::grammar
