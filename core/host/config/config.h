// A config file as JSON, made ready for validation: overrides from the command line and ${substitution}. What the keys
// mean, and whether they fit the components, is resolved_config.h.
//
//   { "name": "quickstart", "seed": 7, "threads": 2, "data": "calls.jsonl",   // comments are allowed
//     "plugins": ["my.so", {"path": "other.so", "sha256": "…"}],
//     "stages": [{"name": "sft", "use": "stage.sft", "inputs": {"dataset": "prototype"}, "epochs": 3,
//                 "algorithm": {"use": "rl.grpo", "clip": 0.2}}] }
//
// Paths, of plugins and in parameters, are relative to the config file, also those that --set gives.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "host/base/diagnostic.h"
#include "host/base/json.h"
#include "host/plugin/registry.h"

namespace retort::host {

struct Config {
  std::filesystem::path file;
  Json document;  ///< overrides applied, ${…} replaced
};

/// Reads `file`, then applies `overrides` ("sft.epochs=3"). Findings about overrides and substitutions go to
/// `diagnostics`; throws std::invalid_argument for a file that is not a JSON object, std::runtime_error for one that
/// cannot be read.
Config load_config(const std::filesystem::path& file, const std::vector<std::string>& overrides,
                   std::vector<Diagnostic>& diagnostics);

/// Applies "key.key=value" to `document`. The value is JSON, or a string where it is not valid JSON. The first key is
/// a top-level one or, as a short form of "stages.sft", a stage's name; array members are addressed by index or by
/// their "name". A key that does not exist yet is added (validation finds it if nothing knows it).
void apply_override(Json& document, const std::string& override_text, std::vector<Diagnostic>& diagnostics);

/// Replaces ${key} and ${key.key} in every string by the top-level value of that name: a string that is exactly one
/// reference takes the value with its type, elsewhere strings and numbers are inserted as text. "$${" stands for "${".
/// References may refer to values with references; a circle of them is reported.
void substitute_references(Json& document, std::vector<Diagnostic>& diagnostics);

/// Adds the config's "plugins" to `options`: paths (absolute afterwards) and their SHA-256 pins, by the path that
/// symbolic links lead to.
void add_config_plugins(const Config& config, SearchOptions& options, std::vector<Diagnostic>& diagnostics);

/// A library that the config names and the registry refused is a finding: another one must not stand in for it.
void check_config_plugins(const Config& config, const Registry& registry, std::vector<Diagnostic>& diagnostics);

/// `pointer` + "/" + `key`, with ~ and / escaped (RFC 6901).
std::string pointer_to(const std::string& pointer, const std::string& key);
std::string pointer_to(const std::string& pointer, std::size_t index);

}  // namespace retort::host
