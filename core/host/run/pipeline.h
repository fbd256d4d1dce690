// Runs a config's stages in order, each at most once per key, and keeps the run directory true at every moment: a
// process killed anywhere leaves only whole artifacts, and the next run goes on from there.
#pragma once

#include <string>
#include <vector>

#include "host/config/resolved_config.h"
#include "host/plugin/registry.h"
#include "host/run/artifact.h"
#include "host/run/run_folder.h"

namespace retort::host {

struct RunOptions {
  Verification verification = Verification::sizes;  ///< of artifacts that are used again
  bool quiet = false;                               ///< no progress
};

enum class RunEnd { complete, interrupted };

/// Throws ConfigError-like std::invalid_argument for a folder that is not a run's, std::runtime_error when another
/// process uses it, PluginError for what a stage says, std::runtime_error for files. Whatever it throws, run.json says
/// so too. Interrupted: request_stop() was called; work folders are kept.
RunEnd run_pipeline(const ResolvedConfig& config, const Registry& registry, const RunFolder& folder,
                    const RunOptions& options);

/// What run_pipeline would do with one stage.
struct PlannedStage {
  std::string name, component;
  std::string action;    ///< "cached", "resume", "run"
  std::string reason;    ///< why it has to run
  std::string artifact;  ///< when cached: the folder
};

/// Reads only; the run directory need not exist.
std::vector<PlannedStage> plan_pipeline(const ResolvedConfig& config, const RunFolder& folder,
                                        Verification verification);

}  // namespace retort::host
