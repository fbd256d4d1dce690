#include "host/config/stage_key.h"

#include <algorithm>
#include <mutex>

#include "host/base/files.h"
#include "host/base/installation.h"
#include "host/plugin/parameter_schema.h"
#include "host/plugin/stop_request.h"

#ifndef RETORT_VERSION
#error "the build defines RETORT_VERSION"
#endif

namespace retort::host {
namespace {

/// A file's hash, or the hash of a folder's sorted list of (relative path, hash).
std::string content_hash(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return sha256_of_file(path, &throw_if_stop_requested);
  std::vector<std::string> lines;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path))
    if (entry.is_regular_file())
      lines.push_back(entry.path().lexically_relative(path).string() + "\n" +
                      sha256_of_file(entry.path(), &throw_if_stop_requested) + "\n");
  std::sort(lines.begin(), lines.end());
  std::string list;
  for (const std::string& line : lines) list += line;
  return sha256(list);
}

struct Library {
  FileIdentity file;
  std::string hash;
  bool trains = false;  ///< it names libretort-train among the libraries that it needs
};

/// Read once a process as long as it does not change.
Library read_library(const std::filesystem::path& path) {
  static std::mutex mutex;
  static std::map<std::string, Library> all;
  const FileIdentity file = file_identity(path);
  const std::lock_guard lock(mutex);
  Library& known = all[file.path];
  if (known.hash.empty() || known.file != file) {
    const std::string bytes = read_file(path);
    // The name stands in the dynamic section; anywhere else it would only make a key depend on more.
    known = {file, sha256(bytes), bytes.find("libretort-train.so") != std::string::npos};
  }
  return known;
}

bool trains(const ResolvedComponent& component) {
  if (read_library(component.component.library).trains) return true;
  return std::any_of(component.slots.begin(), component.slots.end(), trains);
}

/// Retort's own libraries that compute a stage's result.
Json libraries_of(const ResolvedStage& stage) {
  Json libraries = {{"libretort-core", read_library(core_library()).hash}};
  if (!trains(stage)) return libraries;
  const std::filesystem::path training = training_library();
  libraries["libretort-train"] = training.empty() ? Json() : Json(read_library(training).hash);
  return libraries;
}

Json component_recipe(const ResolvedComponent& component) {
  Json recipe = {{"component", component.component.id},
                 {"version", component.component.version},
                 {"library", read_library(component.component.library).hash},
                 {"parameters", component.parameters}};
  Json files = Json::object();
  const auto add = [&](const std::string& pointer, const std::string& path, bool) {
    if (!path.empty()) files[pointer] = content_hash(path_from(component.folder, path));
  };
  visit_format(component.component.parameters_schema, component.parameters, "path-exists", "", add);
  if (!files.empty()) recipe["files"] = files;
  if (!component.slots.empty()) recipe["slots"] = by_slot(component.slots, component_recipe);
  return recipe;
}

}  // namespace

std::string product_version() {
  return RETORT_VERSION;
}

std::uint64_t stage_seed(std::uint64_t config_seed, const std::string& stage_name) {
  return std::stoull(sha256(std::to_string(config_seed) + "/" + stage_name).substr(0, 16), nullptr, 16);
}

Json stage_recipe(const ResolvedConfig& config, const ResolvedStage& stage, const std::vector<InputArtifact>& inputs) {
  Json recipe = component_recipe(stage);
  recipe["seed"] = stage_seed(config.seed, stage.name);
  recipe["threads"] = config.threads;
  recipe["retort"] = product_version();
  recipe["libraries"] = libraries_of(stage);
  if (!recipe.contains("slots")) recipe["slots"] = Json::object();
  recipe["inputs"] = Json::object();
  for (const ResolvedInput& input : stage.inputs) recipe["inputs"][input.name] = Json::array();
  for (const InputArtifact& input : inputs)
    recipe["inputs"][input.input].push_back({{"stage", input.stage}, {"sha256", input.sha256}});
  return recipe;
}

std::string stage_key(const Json& recipe) {
  return sha256(recipe.dump());
}

std::string recipe_difference(const Json& before, const Json& after) {
  std::string text;
  for (const Json& change : Json::diff(before, after)) {
    const std::string path = change["path"];
    if (path == "/library" || path.ends_with("/library")) {
      text += (text.empty() ? "" : ", ") + path.substr(1) + ": " +
              (change["op"] == "replace" ? "the plugin was built anew" : "another component");
      continue;
    }
    if (path.starts_with("/libraries")) {
      text += (text.empty() ? "" : ", ") + path.substr(1) + ": Retort itself was built anew";
      continue;
    }
    const Json::json_pointer pointer(path);
    const std::string old_value = before.contains(pointer) ? before[pointer].dump() : "nothing";
    const std::string new_value = change["op"] == "remove" ? "nothing" : change["value"].dump();
    text += (text.empty() ? "" : ", ") + path.substr(1) + ": " + old_value + " → " + new_value;
  }
  return text;
}

}  // namespace retort::host
