// What a folder is: a run, an artifact or a model; for `retort show`.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "host/base/json.h"

namespace retort::host {

/// A run: run_results.h's to_json. An artifact: its manifest, with "artifact": its folder, and "damage" (sizes checked)
/// or null. A model folder of any origin: {"kind": "model", "config": config.json, "retort": retort.json or null,
/// "files": […]}. Throws std::invalid_argument naming the path and what was looked for when it is none of these.
Json inspect(const std::filesystem::path& path);

/// The same for people, without a final newline. `describe_model` gives the lines about a model folder's weights, which
/// this layer does not read.
std::string inspection_text(const std::filesystem::path& path,
                            const std::function<std::string(const std::filesystem::path&)>& describe_model);

}  // namespace retort::host
