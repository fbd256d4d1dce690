// What a model folder holds, read as the runtime reads it: for `retort show`.
#pragma once

#include <filesystem>
#include <string>

#include "host/base/json.h"

namespace retort::apps {

/// {"architecture", "parameters", "layers", "hidden_size", "intermediate_size", "heads", "kv_heads", "head_dim",
/// "context", "tied_head", "bytes", "weights": [{"form", "parameters", "bytes"}], "vocabulary": {"rows", "tokens",
/// "padding": [first, end) or null, "without_row": [ids]} with null where there is no tokenizer.json, "problems": […]}.
/// A folder that cannot be opened has only "problems": what the runtime would say.
host::Json describe_model(const std::filesystem::path& folder);

/// The same in lines for people, each ending in a newline.
std::string description_text(const host::Json& description);

}  // namespace retort::apps
