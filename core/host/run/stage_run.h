// One stage from a recipe to a sealed artifact.
#pragma once

#include <stdexcept>
#include <vector>

#include "host/config/resolved_config.h"
#include "host/plugin/registry.h"
#include "host/run/artifact.h"
#include "host/run/run_folder.h"
#include "host/run/stage_cache.h"

namespace retort::host {

/// The user asked to stop and the stage did. Its work folder is kept.
struct StageInterrupted : std::runtime_error {
  StageInterrupted() : std::runtime_error("stopped on request") {}
};

/// Runs the stage in a temporary output folder and seals it as entry.attempt. On any failure the output folder goes and
/// the work folder stays. Throws StageInterrupted, PluginError ("stage "sft" (stage.sft): …"), std::runtime_error.
Manifest run_stage(const ResolvedConfig& config, const ResolvedStage& stage, const Registry& registry,
                   const RunFolder& folder, const CacheEntry& entry, const std::vector<InputArtifact>& inputs,
                   bool quiet);

}  // namespace retort::host
