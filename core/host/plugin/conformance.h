// Whether a plugin keeps the contract of sdk/README.md, checked on small seeded inputs. `retort plugins check` and the
// test that retort_add_plugin() registers run it. Stages are asked to describe themselves but not run.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "host/base/json.h"

namespace retort::host {

struct ConformanceCheck {
  std::string component;  ///< its id; empty: of the library as a whole
  std::string name;       ///< "gradient equals finite differences"
  std::string outcome;    ///< "passed", "failed" or "skipped"
  std::string detail;     ///< why it failed or was skipped
};

struct ConformanceReport {
  std::filesystem::path library;
  std::vector<ConformanceCheck> checks;
  bool passed() const;  ///< something was checked and nothing failed
};

/// Runs the checks in a child process. A crash or a hang is one failed check, named; what passed before it stays in the
/// report. `parameters`: of components by their ids, for those that have required ones; the others get their defaults.
/// Never throws for a bad library.
ConformanceReport check_plugin(const std::filesystem::path& library, double seconds = 120,
                               const Json& parameters = Json::object());

/// The child's side: one JSON object a line to `descriptor`, before and after every check.
int check_plugin_in_this_process(const std::filesystem::path& library, int descriptor, const Json& parameters);

Json to_json(const ConformanceReport& report);

}  // namespace retort::host
