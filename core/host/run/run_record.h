// run.json: what a run was made of and how far it came. Rewritten whole at every change of state.
//
// {"format": 1, "name", "description", "state": "running" | "complete" | "interrupted" | "failed", "error"?,
//  "started", "finished"?, "seconds"?, "config_file", "config": resolved, "seed", "threads",
//  "versions": {"retort", "abi", "compiler"}, "machine": {"cpu", "cores", "system"}, "rows": [stage],
//  "stages": [{"name", "component", "version", "library", "kind", "parameters", "slots", "inputs", "seed",
//              "state": "pending" | "running" | "cached" | "complete" | "interrupted" | "failed", "key"?, "artifact"?,
//              "seconds"?, "error"?}]}
// "slots": {name: {"component", "version", "library", "parameters", "slots"?} or an array of them for a list}
#pragma once

#include <string>

#include "host/config/resolved_config.h"
#include "host/run/run_folder.h"

namespace retort::host {

class RunRecord {
 public:
  RunRecord(const RunFolder& folder, const ResolvedConfig& config);
  /// Changes fields of the stage at `index` and saves.
  void stage(std::size_t index, const Json& fields);
  /// Changes top-level fields and saves.
  void update(const Json& fields);
  const Json& json() const { return json_; }

 private:
  std::filesystem::path file_;
  Json json_;
};

/// The machine as run.json has it.
Json describe_machine();

}  // namespace retort::host
