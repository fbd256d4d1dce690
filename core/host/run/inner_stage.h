// Stages that a stage runs: what search is made of.
#pragma once

#include <filesystem>
#include <string>

#include "host/config/resolved_config.h"
#include "host/run/run_folder.h"

namespace retort::host {

/// Runs `entry` ({"name", "use", …, "inputs": {name: folder or [folders] of this run's artifacts}}) inside stage
/// `outer`, or finds its artifact by its key; returns the artifact's folder. Throws std::invalid_argument with every
/// finding (pointers into `entry`), and as run_stage does. [the thread of the outer stage]
std::filesystem::path run_inner_stage(const ResolvedConfig& config, const std::string& outer, const Json& entry,
                                      const Registry& registry, const RunFolder& folder);

}  // namespace retort::host
