// Where an artifact came from, read from the manifests of a run's artifact folder.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

namespace retort::stages {

/// The artifact in `folder` and all that it was made from, newest first, each once: [{"stage", "kind", "artifact",
/// "sha256", "producer", "inputs": [{"name", "stage", "artifact", "sha256"}]}]. No times, so that the same run gives
/// the same bytes. Ends where a manifest is absent: a folder without one has an empty lineage, inputs that are not its
/// neighbours appear as inputs only. Throws std::invalid_argument for a manifest that is not one.
nlohmann::json lineage_of(const std::filesystem::path& folder);

}  // namespace retort::stages
