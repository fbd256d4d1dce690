// The options of commands that say how a call model's answers are limited: --enums, --values-from-utterance,
// --no-grammar.
#pragma once

#include <boost/program_options.hpp>

#include "runtime/generate/call_model.h"

namespace retort::apps {

void add_grammar_options(boost::program_options::options_description& options);

/// Sets the model's grammar where an option asks for another than the package's. Throws as CallModel::set_grammar.
void apply_grammar_options(const boost::program_options::variables_map& variables, runtime::CallModel& model);

}  // namespace retort::apps
