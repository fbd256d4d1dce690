#include "host/run/stage_cache.h"

namespace retort::host {
namespace {

/// What changed since the artifact that stages/<stage> points to.
std::string why_absent(const RunFolder& folder, const std::string& stage, const Json& recipe) {
  std::error_code ignored;
  if (!std::filesystem::exists(folder.stage_link(stage) / manifest_name, ignored)) return "not made yet";
  try {
    const std::string change = recipe_difference(read_manifest(folder.stage_link(stage)).recipe, recipe);
    return change.empty() ? "not made yet" : "changed: " + change;
  } catch (const std::exception& error) {
    return error.what();
  }
}

}  // namespace

CacheEntry look_up(const RunFolder& folder, const std::string& stage, Json recipe, Verification verification) {
  CacheEntry entry;
  entry.recipe = std::move(recipe);
  entry.key = stage_key(entry.recipe);
  entry.attempt = RunFolder::attempt(stage, entry.key);
  const std::filesystem::path artifact = folder.artifact(entry.attempt);
  std::error_code ignored;
  if (std::filesystem::exists(artifact, ignored)) {
    try {
      Manifest manifest = read_manifest(artifact);
      entry.reason = manifest.key == entry.key ? damage(artifact, manifest, verification)
                                               : "its manifest has the key " + manifest.key;
      if (entry.reason.empty()) entry.manifest = std::move(manifest);
    } catch (const std::exception& error) {
      entry.reason = error.what();
    }
    entry.state = entry.manifest ? CacheEntry::State::cached : CacheEntry::State::damaged;
  } else if (std::filesystem::exists(folder.work(entry.attempt), ignored)) {
    entry.state = CacheEntry::State::resume;
    entry.reason = "an earlier attempt did not finish";
  } else {
    entry.reason = why_absent(folder, stage, entry.recipe);
  }
  return entry;
}

}  // namespace retort::host
