// What `call`, `eval` and `generate` share: which model, and how it runs.
#pragma once

#include <filesystem>

#include "command.h"
#include "runtime/generate/call_model.h"

namespace retort::apps {

/// --threads, --context, --kv-cache.
void add_model_options(boost::program_options::options_description& options, std::int64_t threads = 1);

/// `path`, or its model where it is a run directory. Throws std::invalid_argument for a run that has none.
std::filesystem::path model_path(const std::filesystem::path& path);

/// "f32", "bf16" or "int8".
const char* name_of(runtime::KvType type);

/// What they say.
runtime::DecoderOptions decoder_options(const boost::program_options::variables_map& variables);

/// `path` is a model folder, or a run directory, whose model it is then. Throws std::invalid_argument otherwise.
runtime::CallModel open_model(const std::filesystem::path& path,
                              const boost::program_options::variables_map& variables);

}  // namespace retort::apps
