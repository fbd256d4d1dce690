#include "host/report/run_results.h"

#include <algorithm>
#include <map>

#include "host/base/number_format.h"

namespace retort::host {
namespace {

Json member(const Json& object, const char* key) {
  return object.is_object() ? object.value(key, Json()) : Json();
}

StageResult from_record(const Json& stage) {
  return {stage.value("name", ""), stage.value("component", ""), stage.value("kind", ""), stage.value("state", ""),
          stage.value("artifact", "")};
}

void add_evaluation(const Json& evaluation, std::vector<StageResult>& stages) {
  for (const Json& model : evaluation.value("models", Json::array()))
    for (StageResult& stage : stages) {
      if (member(model, "name") != Json(stage.name) || stage.kind != "model") continue;
      stage.evaluation = model;
      stage.exact_match = member(model, "exact_match");
      stage.malformed = member(model, "malformed");
      stage.perplexity = member(model, "perplexity");
      stage.p50_ms = member(model, "p50_ms");
      stage.p90_ms = member(model, "p90_ms");
      if (stage.parameters.is_null()) stage.parameters = member(model, "parameters");
      if (stage.bytes.is_null()) stage.bytes = member(model, "bytes");
    }
}

void add_artifact(const RunFolder& folder, std::size_t index, RunResults& results) {
  StageResult& stage = results.stages[index];
  if (stage.artifact.empty()) return;
  try {
    const std::filesystem::path path = folder.artifact(stage.artifact);
    results.artifacts.push_back({path, read_manifest(path)});
    const Json& facts = results.artifacts.back().manifest.facts;
    if (stage.kind == "model") {
      stage.parameters = member(facts, "parameters");
      stage.bytes = member(facts, "bytes");
    }
    if (const Json verdict = member(facts, "verdict"); verdict.is_string())
      results.verdicts.push_back({stage.name, verdict.get<std::string>()});
    const std::filesystem::path evaluation = path / "evaluation.json";
    if (stage.kind != "report" || !std::filesystem::exists(evaluation)) return;
    const Json json = read_json(evaluation);
    add_evaluation(json, results.stages);
    for (const Json& lost : json.value("attribution", Json::array())) results.attribution.push_back(lost);
    results.evaluations.push_back("artifacts/" + stage.artifact + "/evaluation.json");
  } catch (const std::exception&) {
    // Not readable: its figures are not known, which is what the table then says.
  }
}

/// Hashes of the weight files of a stage's artifact; "" if it has none.
std::string weights_of(const RunResults& results, const StageResult& stage) {
  std::string hashes;
  for (const ArtifactRecord& artifact : results.artifacts)
    if (artifact.manifest.stage == stage.name)
      for (const Json& file : artifact.manifest.files)
        if (file["path"].get<std::string>().ends_with(".safetensors")) hashes += file["sha256"].get<std::string>();
  return hashes;
}

/// An export holds the weights of a model that has its own row.
bool is_copy(const RunResults& results, const StageResult& stage, const std::vector<std::size_t>& rows) {
  const std::string weights = weights_of(results, stage);
  return !weights.empty() && stage.exact_match.is_null() && std::any_of(rows.begin(), rows.end(), [&](std::size_t row) {
    return weights_of(results, results.stages[row]) == weights;
  });
}

std::vector<std::size_t> table_rows(const RunResults& results) {
  const Json chosen = member(results.record, "rows");
  std::vector<std::size_t> rows;
  for (std::size_t i = 0; i < results.stages.size(); ++i) {
    const StageResult& stage = results.stages[i];
    const bool listed = chosen.is_array() && std::find(chosen.begin(), chosen.end(), Json(stage.name)) != chosen.end();
    const bool wanted =
        chosen.is_array() && !chosen.empty() ? listed : stage.kind == "model" && !is_copy(results, stage, rows);
    if (wanted) rows.push_back(i);
  }
  return rows;
}

std::optional<std::size_t> find_teacher(const RunResults& results) {
  std::string name;
  for (const Json& stage : results.record["stages"]) {
    const Json teachers = member(member(stage, "inputs"), "teacher");
    if (name.empty() && teachers.is_array() && !teachers.empty()) name = teachers[0].get<std::string>();
  }
  for (std::size_t i = 0; i < results.stages.size(); ++i)
    if (results.stages[i].kind == "model" && (name.empty() || results.stages[i].name == name)) return i;
  return std::nullopt;
}

/// Code points: the columns that text without wide characters takes.
std::size_t columns(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

std::string aligned_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths(rows[0].size(), 0);
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns(row[i]));
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - columns(row[i]), ' ');
      line += i == 0 ? row[i] + space : "  " + space + row[i];  // the name to the left, figures to the right
    }
    text += (text.empty() ? "" : "\n") + line;
  }
  return text;
}

RunResults read_results(const RunFolder& folder) {
  RunResults results;
  results.record = read_json(folder.record());
  if (!member(results.record, "stages").is_array())
    throw std::invalid_argument(folder.record().string() + ": not a run record: \"stages\" is missing");
  for (const Json& stage : results.record["stages"]) results.stages.push_back(from_record(stage));
  for (std::size_t i = 0; i < results.stages.size(); ++i) add_artifact(folder, i, results);
  results.rows = table_rows(results);
  results.teacher = find_teacher(results);
  return results;
}

Json to_json(const RunResults& results) {
  Json stages = Json::array();
  for (const StageResult& stage : results.stages)
    stages.push_back({{"name", stage.name},
                      {"stage", stage.component},
                      {"kind", stage.kind},
                      {"state", stage.state},
                      {"artifact", stage.artifact.empty() ? Json() : Json(stage.artifact)},
                      {"params", stage.parameters},
                      {"bytes", stage.bytes},
                      {"exact_match", stage.exact_match},
                      {"malformed", stage.malformed},
                      {"perplexity", stage.perplexity},
                      {"p50_ms", stage.p50_ms},
                      {"p90_ms", stage.p90_ms}});
  Json verdicts = Json::object();
  for (const Verdict& verdict : results.verdicts) verdicts[verdict.stage] = verdict.text;
  return {{"name", member(results.record, "name")},
          {"state", member(results.record, "state")},
          {"stages", stages},
          {"verdicts", verdicts}};
}

std::string results_table(const RunResults& results) {
  if (results.rows.empty()) return "";
  std::vector<std::vector<std::string>> rows = {
      {"stage", "accuracy", "malformed", "parameters", "bytes", "p50 latency"}};
  for (const std::size_t index : results.rows) {
    const StageResult& stage = results.stages[index];
    rows.push_back({stage.name, format_percent(stage.exact_match), format_percent(stage.malformed),
                    format_count(stage.parameters), format_bytes(stage.bytes), format_ms(stage.p50_ms)});
  }
  return aligned_table(rows);
}

double making_seconds(const RunResults& results) {
  double total = 0;
  for (const Json& stage : results.record.value("stages", Json::array())) {
    if (const Json seconds = stage.value("seconds", Json()); seconds.is_number()) total += seconds.get<double>();
  }
  return total;
}

std::string actual_state(const RunFolder& folder, const RunResults& results) {
  const std::string state = results.record.value("state", "unknown");
  return state == "running" && !RunLock::held(folder) ? "killed" : state;
}

}  // namespace retort::host
