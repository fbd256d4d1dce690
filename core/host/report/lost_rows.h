// Test rows that a step lost or gained: what the model of a stage answers otherwise than the one that it was made from.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "host/base/json.h"

namespace retort::host {

/// Of `record` (run.json) and `evaluations` (evaluation.json of its report stages, the last that has both models
/// counts):
///   {"stage", "before": the stage that made the model before, "dataset", "split", "utterances",
///    "lost": [{"utterance", "expected": calls, "before": answer, "after": answer, "reason"}], "gained": the same}
/// A right answer is the expected calls, a wrong one the raw text. The model before is that of the input "model", else
/// "student", else "teacher"; where it was not evaluated, the one before that. Throws std::invalid_argument for a stage
/// that is unknown (with the nearest name), makes no model or was not evaluated, or with nothing before it that was.
Json lost_rows(const Json& record, const std::vector<Json>& evaluations, const std::string& stage);

/// The same of a run directory.
Json lost_rows(const std::filesystem::path& run, const std::string& stage);

/// For people, without a final newline.
std::string lost_rows_text(const Json& rows);

}  // namespace retort::host
