// A config checked as a whole against the components that there are: what a run works from.
//
// Keys of the config: name, description, seed (0), threads (1), data, max_rejected_share (0.01), plugins, summary,
// smoke, stages. `data` is any value, for ${data}; `smoke` {"set": {"sft.epochs": 1}} holds the overrides that shrink
// the run to a test; `summary` {"rows": ["sft", …]} says which stages the table of results shows. Keys of a stage:
// name, use, inputs; for each slot of the stage {"use": component, …its parameters and slots}, an array of them where
// the slot is a list; all others are the stage's own parameters. Components nest at most 8 deep.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "host/base/diagnostic.h"
#include "host/config/component_tree.h"
#include "host/config/config.h"
#include "host/plugin/registry.h"

namespace retort::host {

struct ResolvedInput {
  std::string name;
  std::vector<std::size_t> stages;  ///< indices into ResolvedConfig::stages
};

struct ResolvedStage : ResolvedComponent {
  std::string name;
  std::vector<ResolvedInput> inputs;  ///< those that the config gives
  std::string produces;               ///< kind of the artifact
};

struct ResolvedConfig {
  std::filesystem::path file;
  std::string name, description;
  std::uint64_t seed = 0;
  std::int64_t threads = 1;
  std::vector<ResolvedStage> stages;  ///< in an order in which they can run; the config's wherever that is possible
  std::vector<std::string> rows;      ///< summary.rows; empty: every stage that makes a model
  Json document;                      ///< with every default filled in
};

/// The whole config's findings, as one exception: what() lists them all, one a line.
class ConfigError : public std::invalid_argument {
 public:
  ConfigError(const std::filesystem::path& file, std::vector<Diagnostic> diagnostics);
  const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }

 private:
  std::vector<Diagnostic> diagnostics_;
};

/// Appends every finding; the result is usable only if there are none. A string parameter whose schema has "format":
/// "path-exists" must name an existing file or folder, one of "secret-env" an environment variable (set or not:
/// run/stage_check.h looks).
ResolvedConfig resolve_config(const Config& config, const Registry& registry, std::vector<Diagnostic>& diagnostics);

/// Loads, finds plugins, resolves: one call that returns a usable config or throws ConfigError with all findings.
/// `registry` is made from `options` and the config's plugins.
ResolvedConfig load_and_resolve(const std::filesystem::path& file, const std::vector<std::string>& overrides,
                                SearchOptions options, std::optional<Registry>& registry);

}  // namespace retort::host
