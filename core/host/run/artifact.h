// Artifacts: immutable folders with a manifest. Writing makes them whole or absent; reading tells whole ones from
// others. Their files are read-only (0444), the folders are not: without write permission rm -r fails, for an owner who
// is not root, and a stage that copies an input would pass that on.
//
// manifest.json: {"format": 1, "kind", "stage", "sha256": of the content, "key", "recipe", "producer": {"component",
// "version", "retort"}, "inputs": [{"name", "stage", "artifact", "sha256"}], "files": [{"path", "bytes", "sha256"}],
// "facts": {…}, "created", "seconds", "checksum": SHA-256 of the manifest without this field}
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "host/base/json.h"
#include "host/config/stage_key.h"

namespace retort::host {

inline constexpr const char* manifest_name = "manifest.json";

struct Manifest {
  std::string kind, stage, sha256, key;
  Json recipe;
  Json producer;
  std::vector<InputArtifact> inputs;
  Json files = Json::array();
  Json facts = Json::object();
  std::string created;  ///< UTC, ISO 8601
  double seconds = 0;   ///< that the stage ran for, in the attempt that finished it
};

/// Throws std::invalid_argument (not a manifest, another format, checksum) or std::runtime_error (cannot be read).
Manifest read_manifest(const std::filesystem::path& folder);

/// SHA-256 over kind and the files' paths and hashes: what makes two artifacts the same. Facts and times do not count.
std::string content_hash(const std::string& kind, const Json& files);

enum class Verification {
  sizes,  ///< the manifest's own checksum, and every file there with its size
  full,   ///< and every file's SHA-256; a file that this process hashed is hashed again once it was touched
};

/// Why the folder does not hold what its manifest says (with the file's path), or "" if it does.
std::string damage(const std::filesystem::path& folder, const Manifest& manifest, Verification verification);

/// Turns `temporary` (what a stage wrote) into the artifact `final_folder`: hashes and fsyncs all files, writes the
/// manifest last, renames. Fills manifest.files and manifest.sha256. Throws std::runtime_error, and leaves `temporary`
/// behind, when a file cannot be read or written; std::invalid_argument when the stage left links, devices, names that
/// are not UTF-8 or a manifest.json of its own. Both folders must be on one file system; `final_folder` must not exist.
void seal_artifact(const std::filesystem::path& temporary, const std::filesystem::path& final_folder,
                   Manifest& manifest);

/// Now, in UTC: "2025-01-31T12:00:00Z".
std::string utc_now();

}  // namespace retort::host
