// What a package says of the grammar of its answers, and which texts its values may come from: the same for single
// calls, chat requests and generated text.
#pragma once

#include <string>
#include <vector>

#include "grammar/program_builder.h"
#include "model/model_folder.h"
#include "task/conversation.h"

namespace retort::runtime {

/// "grammar" of the task in retort.json (grammar/grammar_options.h); without it the options by default. Throws
/// std::invalid_argument: file, pointer, expected, found.
grammar::GrammarOptions package_grammar(const model::ModelFolder& folder);

/// The texts that values may be taken from (GrammarOptions::values_from_utterance): what users and tools said.
std::vector<std::string> said_in(const task::Conversation& conversation);

}  // namespace retort::runtime
