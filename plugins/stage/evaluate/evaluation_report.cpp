// Builds the JSON of evaluation_report.h.
#include "evaluation_report.h"

#include <cmath>
#include <stdexcept>

#include "host/base/utf8.h"
#include "task/call.h"

namespace retort::stages {

namespace {

using Json = nlohmann::json;
using Miss = runtime::Evaluation::Miss;

/// For each utterance its miss, or nullptr where the answer was exact. Equal rows have equal answers (decoding is
/// greedy), so matching misses to rows in order is unambiguous.
std::vector<const Miss*> misses_by_row(const ReportSubject& subject, const MeasuredModel& model) {
  std::vector<const Miss*> rows(subject.data.size(), nullptr);
  const auto& misses = model.evaluation.misses;
  std::size_t next = 0;
  for (std::size_t i = 0; i < rows.size() && next < misses.size(); ++i)
    if (misses[next].utterance == subject.data[i].utterance && misses[next].expected == subject.data[i].calls)
      rows[i] = &misses[next++];
  if (next != misses.size())
    throw std::logic_error("model '" + model.name + "': miss " + std::to_string(next) +
                           " of its evaluation is not a row of the data that it was evaluated on");
  return rows;
}

Json to_json(const std::map<std::string, runtime::Score>& scores) {
  Json json = Json::object();
  for (const auto& [name, score] : scores)
    json[name] = {
        {"utterances", score.utterances},
        {"exact", score.exact},
        {"exact_match",
         score.utterances == 0 ? 0.0 : static_cast<double>(score.exact) / static_cast<double>(score.utterances)}};
  return json;
}

/// null for what JSON does not hold: the perplexity of a model that is certain of what is wrong.
Json finite(double value) {
  return std::isfinite(value) ? Json(value) : Json();
}

Json to_json(const MeasuredModel& model) {
  const runtime::Evaluation& evaluation = model.evaluation;
  Json misses = Json::array();
  for (const Miss& miss : evaluation.misses)
    misses.push_back({{"utterance", miss.utterance},
                      {"expected", task::calls_to_json(miss.expected)},
                      {"found", host::replace_invalid_utf8(miss.found)},
                      {"reason", host::replace_invalid_utf8(miss.reason)}});
  return {{"name", model.name},
          {"parameters", model.parameters},
          {"bytes", model.bytes},
          {"exact_match", evaluation.exact_match},
          {"malformed", evaluation.malformed},
          {"loss", model.forced ? finite(model.forced->loss) : Json()},
          {"perplexity", model.forced ? finite(model.forced->perplexity()) : Json()},
          {"p50_ms", evaluation.p50_ms},
          {"p90_ms", evaluation.p90_ms},
          {"p99_ms", evaluation.p99_ms},
          {"tools", to_json(evaluation.tools)},
          {"groups", to_json(evaluation.groups)},
          {"misses", std::move(misses)}};
}

}  // namespace

Json evaluation_report(const ReportSubject& subject, const std::vector<MeasuredModel>& models) {
  Json measured = Json::array(), attribution = Json::array();
  std::vector<const Miss*> previous;
  for (std::size_t m = 0; m < models.size(); ++m) {
    measured.push_back(to_json(models[m]));
    const std::vector<const Miss*> current = misses_by_row(subject, models[m]);
    for (std::size_t i = 0; m > 0 && i < current.size(); ++i)
      if (previous[i] == nullptr && current[i] != nullptr)
        attribution.push_back({{"utterance", subject.data[i].utterance},
                               {"expected", task::calls_to_json(subject.data[i].calls)},
                               {"kept_by", models[m - 1].name},
                               {"lost_at", models[m].name},
                               {"found", host::replace_invalid_utf8(current[i]->found)},
                               {"reason", host::replace_invalid_utf8(current[i]->reason)}});
    previous = current;
  }
  Json report = {{"dataset", subject.dataset},
                 {"split", subject.split},
                 {"utterances", subject.data.size()},
                 {"models", std::move(measured)},
                 {"attribution", std::move(attribution)}};
  if (subject.impossible > 0) report["impossible"] = subject.impossible;
  return report;
}

}  // namespace retort::stages
