// One stage from a recipe to a sealed artifact.
#pragma once

#include <functional>
#include <stdexcept>
#include <string>
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

/// Why an input does not hold what its manifest says, its files hashed, or "".
std::string input_damage(const RunFolder& folder, const InputArtifact& input);

/// Runs the stage in a temporary output folder and seals it as entry.attempt. On any failure the output folder goes and
/// the work folder stays. Throws StageInterrupted, PluginError ("stage "sft" (stage.sft): …"), std::runtime_error, also
/// for an input that is damaged before, or because of, the stage's work. `on_exit`: see process_end.h.
Manifest run_stage(const ResolvedConfig& config, const ResolvedStage& stage, const Registry& registry,
                   const RunFolder& folder, const CacheEntry& entry, const std::vector<InputArtifact>& inputs,
                   bool quiet, const std::function<void(const std::string& message)>& on_exit = {});

}  // namespace retort::host
