// What a run came to, read back from its directory: the join of run.json, the artifacts' manifests (facts "parameters"
// and "bytes") and evaluation.json of every report artifact, by stage name. `retort show`, the table at the end of a
// run and the report all come from here.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host/base/json.h"
#include "host/run/artifact.h"
#include "host/run/run_folder.h"

namespace retort::host {

/// One stage; what is not known is null.
struct StageResult {
  std::string name, component, kind, state, artifact;
  Json parameters, bytes, exact_match, malformed, perplexity, p50_ms, p90_ms;
  Json evaluation;  ///< the model's entry in evaluation.json
};

/// What a stage that proves something (fact "verdict") came to: "proved" or "failed: …".
struct Verdict {
  std::string stage, text;
  bool failed() const { return text != "proved"; }
};

/// An artifact that the run has, in stage order.
struct ArtifactRecord {
  std::filesystem::path folder;
  Manifest manifest;
};

struct RunResults {
  Json record;                         ///< run.json
  std::vector<StageResult> stages;     ///< all, in order of execution
  std::vector<std::size_t> rows;       ///< of the table: indices into stages
  std::optional<std::size_t> teacher;  ///< what others are compared with: the stage given as an input "teacher", else
                                       ///< the first that makes a model
  std::vector<ArtifactRecord> artifacts;
  Json attribution = Json::array();      ///< calls lost between two models: {"kept_by", "lost_at", …}
  std::vector<Verdict> verdicts;         ///< in stage order
  std::vector<std::string> evaluations;  ///< evaluation.json files used, relative to the run directory
};

/// Throws std::runtime_error or std::invalid_argument for a folder without a readable run.json; artifacts and reports
/// that cannot be read are left out (their figures stay null).
RunResults read_results(const RunFolder& folder);

/// {"name", "state", "stages": [{name, stage, kind, state, artifact, params, bytes, exact_match, malformed,
/// perplexity, p50_ms, p90_ms}], "verdicts": {stage: text}}
Json to_json(const RunResults& results);

/// The table as text, without a final newline; "" when no stage makes a model.
std::string results_table(const RunResults& results);

/// Rows as text, columns aligned: the first to the left, the others to the right. Without a final newline; at least one
/// row, all of one length.
std::string aligned_table(const std::vector<std::vector<std::string>>& rows);

/// Seconds that making the artifacts of all stages took, whichever runs made them; cached ones count what they took.
double making_seconds(const RunResults& results);

/// "running" in run.json but no process holds the run: it was killed.
std::string actual_state(const RunFolder& folder, const RunResults& results);

}  // namespace retort::host
