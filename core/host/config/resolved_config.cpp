// The top level of a config, and the way from a file to something that can run.
#include "host/config/resolved_config.h"

#include <algorithm>

#include "host/config/config_resolution.h"
#include "host/plugin/parameter_schema.h"

namespace retort::host {
namespace {

const std::vector<std::string> structured_keys = {"data", "teacher", "plugins", "summary", "smoke", "stages"};

Json scalar_schema() {
  return Json::parse(R"({"type": "object", "properties": {
    "name": {"type": "string"},
    "description": {"type": "string", "default": ""},
    "seed": {"type": "integer", "minimum": 0, "default": 0},
    "threads": {"type": "integer", "minimum": 1, "maximum": 1024, "default": 1},
    "max_rejected_share": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.01}},
    "required": [], "additionalProperties": false})");
}

void check_top_level_keys(const Json& document, Json& scalars, Diagnostics& diagnostics) {
  std::vector<std::string> known = structured_keys;
  const Json schema = scalar_schema();
  for (const auto& item : schema["properties"].items()) known.push_back(item.key());
  scalars = Json::object();
  for (const auto& [key, value] : document.items()) {
    if (schema["properties"].contains(key))
      scalars[key] = value;
    else if (std::find(known.begin(), known.end(), key) == known.end())
      diagnostics.push_back({pointer_to("", key), "unknown key", suggestion_for(key, known)});
  }
  validate_parameters(schema, scalars, "", diagnostics);
}

void check_smoke(const Json& document, Diagnostics& diagnostics) {
  const auto smoke = document.find("smoke");
  if (smoke == document.end()) return;
  if (!smoke->is_object() || smoke->size() != 1 || !smoke->value("set", Json()).is_object())
    diagnostics.push_back({"/smoke", "expected {\"set\": {\"stage.key\": value, …}}, found " + smoke->dump(), ""});
}

std::vector<std::string> summary_rows(const Json& document, const std::vector<ResolvedStage>& stages,
                                      Diagnostics& diagnostics) {
  std::vector<std::string> rows;
  const auto summary = document.find("summary");
  if (summary == document.end()) return rows;
  if (!summary->is_object() || summary->size() != 1 || !summary->value("rows", Json()).is_array()) {
    diagnostics.push_back({"/summary", "expected {\"rows\": [stage name, …]}, found " + summary->dump(), ""});
    return rows;
  }
  std::vector<std::string> names;
  for (const ResolvedStage& stage : stages) names.push_back(stage.name);
  for (const Json& row : (*summary)["rows"]) {
    const std::string pointer = pointer_to("/summary/rows", rows.size());
    rows.push_back(row.is_string() ? row.get<std::string>() : row.dump());
    if (std::find(names.begin(), names.end(), rows.back()) == names.end())
      diagnostics.push_back({pointer, "no stage \"" + rows.back() + "\"", suggestion_for(rows.back(), names)});
  }
  return rows;
}

std::vector<ResolvedStage> resolve_stages(const Config& config, const Registry& registry, Diagnostics& diagnostics) {
  const Json& document = config.document;
  std::vector<ResolvedStage> stages;
  const auto entries = document.find("stages");
  if (entries == document.end() || !entries->is_array() || entries->empty()) {
    diagnostics.push_back({entries == document.end() ? "" : "/stages",
                           "\"stages\" must be an array of at least one {\"name\": …, \"use\": …}",
                           suggestion_for("", registry.component_ids("retort.stage/1"))});
    return stages;
  }
  for (std::size_t i = 0; i < entries->size(); ++i)
    stages.push_back(
        resolve_stage((*entries)[i], pointer_to("/stages", i), config.file.parent_path(), registry, diagnostics));
  connect_stages(*entries, stages, diagnostics);
  return stages;
}

/// "/stages/2" before "/stages/10": numbers by value, all else as text.
bool comes_before(const Diagnostic& a, const Diagnostic& b) {
  const auto key = [](const std::string& pointer) {
    std::string padded;
    for (std::size_t begin = 0, end; begin < pointer.size(); begin = end) {
      end = std::min(pointer.find('/', begin + 1), pointer.size());
      std::string step = pointer.substr(begin + 1, end - begin - 1);
      const bool number = !step.empty() && step.find_first_not_of("0123456789") == std::string::npos;
      if (number && step.size() < 12) step.insert(0, 12 - step.size(), '0');
      padded += "/" + step;
    }
    return padded;
  };
  return key(a.pointer) < key(b.pointer);
}

/// The config with every default written out.
Json complete_document(const Json& document, const Json& scalars, const std::vector<ResolvedStage>& stages) {
  Json complete = document;
  complete.update(scalars);
  for (Json& entry : complete["stages"])
    for (const ResolvedStage& stage : stages)
      if (entry["name"] == stage.name) entry.update(config_entry(stage));
  return complete;
}

}  // namespace

ConfigError::ConfigError(const std::filesystem::path& file, std::vector<Diagnostic> diagnostics)
    : std::invalid_argument([&] {
        std::string text = file.string() + ": " + std::to_string(diagnostics.size()) +
                           (diagnostics.size() == 1 ? " mistake" : " mistakes");
        for (const Diagnostic& diagnostic : diagnostics) text += "\n  " + to_string(diagnostic);
        return text;
      }()),
      diagnostics_(std::move(diagnostics)) {}

ResolvedConfig resolve_config(const Config& config, const Registry& registry, std::vector<Diagnostic>& diagnostics) {
  ResolvedConfig resolved;
  resolved.file = config.file;
  Json scalars;
  check_top_level_keys(config.document, scalars, diagnostics);
  check_smoke(config.document, diagnostics);
  resolved.stages = resolve_stages(config, registry, diagnostics);
  resolved.rows = summary_rows(config.document, resolved.stages, diagnostics);
  if (!scalars.contains("name")) scalars["name"] = config.file.stem().string();
  if (scalars["name"].is_string() && !is_plain_name(scalars["name"]))
    diagnostics.push_back({"/name", "not a name for a run: " + scalars["name"].dump(),
                           "letters, digits, \"_\", \"-\" and \".\": it names the run's folder"});
  if (!diagnostics.empty()) return resolved;
  resolved.name = scalars["name"];
  resolved.description = scalars["description"];
  resolved.seed = scalars["seed"];
  resolved.threads = scalars["threads"];
  resolved.document = complete_document(config.document, scalars, resolved.stages);
  return resolved;
}

ResolvedConfig load_and_resolve(const std::filesystem::path& file, const std::vector<std::string>& overrides,
                                SearchOptions options, std::optional<Registry>& registry) {
  std::vector<Diagnostic> diagnostics;
  const Config config = load_config(file, overrides, diagnostics);
  add_config_plugins(config, options, diagnostics);
  registry.emplace(std::move(options));
  check_config_plugins(config, *registry, diagnostics);
  ResolvedConfig resolved = resolve_config(config, *registry, diagnostics);
  // By place they read better than in the order of the checks.
  std::stable_sort(diagnostics.begin(), diagnostics.end(), comes_before);
  if (!diagnostics.empty()) throw ConfigError(file, std::move(diagnostics));
  return resolved;
}

}  // namespace retort::host
