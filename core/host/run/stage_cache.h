// Whether a stage has to run: looks for its artifact in a run directory by the stage's key.
#pragma once

#include <optional>
#include <string>

#include "host/run/artifact.h"
#include "host/run/run_folder.h"

namespace retort::host {

struct CacheEntry {
  enum class State {
    cached,   ///< the artifact is there and whole
    resume,   ///< a killed attempt left a work folder
    absent,   ///< nothing of this key
    damaged,  ///< the artifact is there but not what its manifest says
  };
  State state = State::absent;
  Json recipe;
  std::string key, attempt;
  std::optional<Manifest> manifest;  ///< when cached
  std::string reason;                ///< for people: why it has to run
};

/// Reads only. Never throws for what the folder holds.
CacheEntry look_up(const RunFolder& folder, const std::string& stage, Json recipe, Verification verification);

}  // namespace retort::host
