// What `call`, `eval` and `generate` share: which model, and how it runs.
#pragma once

#include <filesystem>

#include "command.h"
#include "runtime/call_model.h"

namespace retort::apps {

/// --threads.
void add_model_options(boost::program_options::options_description& options);

/// What they say.
runtime::DecoderOptions decoder_options(const boost::program_options::variables_map& variables);

/// `path` is a model folder, or a run directory, whose model it is then. Throws std::invalid_argument otherwise.
runtime::CallModel open_model(const std::filesystem::path& path,
                              const boost::program_options::variables_map& variables);

}  // namespace retort::apps
