// What decides a stage's result: its recipe, and the key that is the recipe's hash.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/config/resolved_config.h"

namespace retort::host {

/// The seed that a stage gets: the first 8 bytes of SHA-256("<config seed>/<stage name>"), so that stages draw
/// independent random numbers and adding one does not change the others.
std::uint64_t stage_seed(std::uint64_t config_seed, const std::string& stage_name);

/// One artifact that a stage reads.
struct InputArtifact {
  std::string input;     ///< the stage's name for it
  std::string stage;     ///< that made it
  std::string artifact;  ///< folder name
  std::string sha256;    ///< of its content
};

/// Everything that the stage's result may depend on: component, version and the SHA-256 of its library (one that was
/// rebuilt to the same bytes is the same), the SHA-256 of libretort-core and, where a component needs it, of
/// libretort-train (they compute what stages ask for), parameters, content of the files that
/// parameters name (schema format "path-exists"), slots, inputs (content and the name that the stage sees), seed,
/// threads, and Retort's version. Not in it: where the config or the plugin lies, and what the stage makes of itself.
/// Hashes files: throws std::runtime_error for one that cannot be read, retort::Stopped once a stop was requested.
Json stage_recipe(const ResolvedConfig& config, const ResolvedStage& stage, const std::vector<InputArtifact>& inputs);

/// SHA-256 of the recipe's canonical JSON (keys sorted, no spaces).
std::string stage_key(const Json& recipe);

/// What differs between two recipes, for people: "parameters/epochs: 3 → 5, seed: 1 → 2".
std::string recipe_difference(const Json& before, const Json& after);

/// The product's version, "0.1.0".
std::string product_version();

}  // namespace retort::host
