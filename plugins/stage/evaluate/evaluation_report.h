// evaluation.json: what several models scored on one split, and which of them lost a call that the one before it had.
// Pure: models are measured by the stage.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "runtime/generate/call_model.h"
#include "runtime/measure/evaluation.h"
#include "runtime/measure/forced_answers.h"

namespace retort::stages {

/// One model's measurement on the data that all models of a report share.
struct MeasuredModel {
  std::string name;  ///< of the stage that made it
  std::int64_t parameters = 0;
  std::int64_t bytes = 0;  ///< of the weights as stored
  runtime::Evaluation evaluation;
  std::optional<runtime::ForcedAnswers> forced;  ///< nothing where the model's form writes no right answer of the split
};

struct ReportSubject {
  std::string dataset;  ///< name of the stage that made it
  std::string split;
  std::vector<runtime::LabelledUtterance> data;
  std::int64_t impossible = 0;  ///< rows whose labels no tool allows; they count as wrong
};

/// The report:
///   {"dataset", "split", "utterances", "impossible"? (where there are such rows),
///    "models": [{"name", "parameters", "bytes", "exact_match", "malformed", "loss", "perplexity", "p50_ms",
///                "p90_ms", "p99_ms",
///                "tools": {tool: {"utterances", "exact", "exact_match"}}, "groups": {group: the same},
///                "misses": [{"utterance", "expected", "found", "reason"}]}],
///    "attribution": [{"utterance", "expected", "kept_by", "lost_at", "found", "reason"}]}
/// "loss" and "perplexity" are of the right answers' tokens (forced_answers.h), null where not one can be written.
/// Shares lie in [0,1]; "found" is the raw response with invalid UTF-8 replaced. Attribution compares each model with
/// the one before it: an entry is an utterance that `kept_by` answered exactly and `lost_at` did not.
/// Throws std::logic_error when an evaluation's misses are not misses of `subject.data` in its order.
nlohmann::json evaluation_report(const ReportSubject& subject, const std::vector<MeasuredModel>& models);

}  // namespace retort::stages
