// retort sweep CONFIG --over KEY=V1,V2: one run for each combination of values, all in one run directory, so that every
// stage before what changes is made once.
#include <algorithm>
#include <iostream>
#include <optional>

#include "config_options.h"
#include "host/base/files.h"
#include "host/base/log.h"
#include "host/base/number_format.h"
#include "host/base/numeric_environment.h"
#include "host/base/printable.h"
#include "host/plugin/host_extensions.h"
#include "host/report/run_results.h"
#include "host/run/interruption.h"
#include "host/run/pipeline.h"
#include "host/run/stage_check.h"
#include "runtime/generate/host_models.h"

namespace retort::apps {

namespace po = boost::program_options;

namespace {

using host::Json;
using Strings = std::vector<std::string>;

/// One key and what it is set to in turn.
struct Axis {
  std::string key;
  Strings values;
};

/// Splits at commas that stand in no brackets and no quotes: each part is a value as --set takes it.
Strings split_values(const std::string& text) {
  Strings values(1);
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"' && (i == 0 || text[i - 1] != '\\')) quoted = !quoted;
    if (!quoted) depth += c == '[' || c == '{' ? 1 : c == ']' || c == '}' ? -1 : 0;
    if (c == ',' && depth == 0 && !quoted)
      values.emplace_back();
    else
      values.back() += c;
  }
  return values;
}

Axis parse_axis(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw std::invalid_argument("--over '" + text + "': expected KEY=VALUE,VALUE");
  Axis axis{text.substr(0, equals), split_values(text.substr(equals + 1))};
  for (const std::string& value : axis.values)
    if (value.empty()) throw std::invalid_argument("--over '" + text + "': expected values between commas, found none");
  return axis;
}

/// Every combination of the axes' values, the last axis changing fastest: overrides as --set takes them.
std::vector<Strings> combinations(const std::vector<Axis>& axes) {
  std::vector<Strings> all(1);
  for (const Axis& axis : axes) {
    std::vector<Strings> longer;
    for (const Strings& begun : all)
      for (const std::string& value : axis.values) {
        longer.push_back(begun);
        longer.back().push_back(axis.key + "=" + value);
      }
    all = std::move(longer);
  }
  return all;
}

po::variables_map with_overrides(po::variables_map variables, const Strings& overrides) {
  Strings all = variables.count("set") > 0 ? variables["set"].as<Strings>() : Strings();
  all.insert(all.end(), overrides.begin(), overrides.end());
  variables.erase("set");
  variables.insert({"set", po::variable_value(all, false)});
  return variables;
}

/// What a run came to: of every stage in its table the accuracy, or what it says of its validation.
Json outcome_of(const host::RunFolder& folder, const Strings& overrides) {
  const host::RunResults results = host::read_results(folder);
  Json outcome = {{"set", overrides}, {"figures", Json::object()}, {"made", 0}, {"results", host::to_json(results)}};
  for (const host::StageResult& stage : results.stages)
    if (stage.state == "complete") outcome["made"] = outcome["made"].get<int>() + 1;
  for (const std::size_t row : results.rows) {
    const host::StageResult& stage = results.stages[row];
    if (!stage.exact_match.is_null()) outcome["figures"][stage.name + " accuracy"] = stage.exact_match;
    for (const host::ArtifactRecord& artifact : results.artifacts)
      if (artifact.manifest.stage == stage.name && artifact.manifest.facts.contains("validation_exact_match"))
        outcome["figures"][stage.name + " validation"] = artifact.manifest.facts["validation_exact_match"];
  }
  return outcome;
}

std::string sweep_table(const std::vector<Axis>& axes, const std::vector<Json>& outcomes) {
  Strings head, names;
  for (const Axis& axis : axes) head.push_back(axis.key);
  for (const Json& outcome : outcomes)
    for (const auto& item : outcome["figures"].items())
      if (std::find(names.begin(), names.end(), item.key()) == names.end()) names.push_back(item.key());
  head.insert(head.end(), names.begin(), names.end());
  head.push_back("stages made");
  std::vector<Strings> rows{head};
  for (const Json& outcome : outcomes) {
    Strings row;
    for (const Json& set : outcome["set"]) {
      const std::string text = set;
      row.push_back(text.substr(text.find('=') + 1));
    }
    for (const std::string& name : names) row.push_back(host::format_percent(outcome["figures"].value(name, Json())));
    row.push_back(std::to_string(outcome["made"].get<int>()));
    rows.push_back(std::move(row));
  }
  return host::aligned_table(rows);
}

po::options_description sweep_options(po::options_description& hidden, po::positional_options_description& positional) {
  po::options_description options("options");
  add_config_options(options, hidden, positional);
  options.add_options()("over", po::value<Strings>()->composing()->value_name("KEY=V1,V2"),
                        "values to run with, each in turn; repeated: every combination")(
      "run-dir", po::value<std::string>()->value_name("FOLDER"),
      "where the runs live, one after the other (default: runs/<name of the config>-sweep)")(
      "quiet,q", po::bool_switch(), "no progress; only warnings, errors and the table");
  return options;
}

/// Every error before any work. Returns the name that the configs have.
std::string check_all(const po::variables_map& variables, const std::vector<Strings>& all) {
  std::string name;
  for (const Strings& overrides : all) {
    std::optional<host::Registry> registry;
    const host::ResolvedConfig config = load_config(with_overrides(variables, overrides), registry);
    host::require_sound_stages(config, *registry);
    name = config.name;
  }
  return name;
}

/// What the runs came to; nothing when they were stopped.
std::optional<std::vector<Json>> run_all(const po::variables_map& variables, const std::vector<Strings>& all,
                                         const host::RunFolder& folder) {
  const bool quiet = variables["quiet"].as<bool>();
  std::vector<Json> outcomes;
  for (const Strings& overrides : all) {
    std::string listed;
    for (const std::string& one : overrides) listed += " " + one;
    host::log_info("sweep " + std::to_string(outcomes.size() + 1) + " of " + std::to_string(all.size()) + ":" + listed);
    std::optional<host::Registry> registry;
    const host::ResolvedConfig config = load_config(with_overrides(variables, overrides), registry);
    if (host::run_pipeline(config, *registry, folder, {host::Verification::sizes, quiet}) ==
        host::RunEnd::interrupted) {
      host::log_warning("stopped; the same command goes on from here");
      return std::nullopt;
    }
    outcomes.push_back(outcome_of(folder, overrides));
    host::write_json(folder.path() / "sweep.json", {{"format", 1}, {"runs", outcomes}});
  }
  return outcomes;
}

}  // namespace

int sweep_command(const Arguments& arguments) {
  po::options_description hidden;
  po::positional_options_description positional;
  const po::options_description options = sweep_options(hidden, positional);
  const auto variables = parse_command_line(
      arguments,
      {"retort sweep CONFIG --over KEY=V1,V2 [options]",
       "Runs a config once for every combination of values and prints a table. What does not depend on a value is "
       "made\n"
       "once, and a sweep that was stopped goes on where it was; sweep.json in the run directory has all results.",
       "retort sweep configs/quickstart.json --over teacher.training.learning_rate=5e-4,1e-3,2e-3"},
      options, positional, hidden);
  if (!variables) return exit_success;
  if (variables->count("over") == 0) throw std::invalid_argument("retort sweep: expected --over KEY=V1,V2, found none");
  std::vector<Axis> axes;
  for (const std::string& text : (*variables)["over"].as<Strings>()) axes.push_back(parse_axis(text));

  host::start_log((*variables)["quiet"].as<bool>());
  host::stop_when_unseen();
  host::prepare_numeric_environment();
  const std::vector<Strings> all = combinations(axes);
  const std::string name = check_all(*variables, all);
  host::register_host_extension(RETORT_HOST_MODELS_EXTENSION, &runtime::host_models());
  const host::RunFolder folder(variables->count("run-dir") > 0
                                   ? std::filesystem::path((*variables)["run-dir"].as<std::string>())
                                   : std::filesystem::path("runs") / (name + "-sweep"));
  const auto outcomes = run_all(*variables, all, folder);
  if (!outcomes) return exit_interrupted;
  std::cout << host::printable(sweep_table(axes, *outcomes)) << "\n\nsweep   "
            << (folder.path() / "sweep.json").string() << "\n";
  return exit_success;
}

}  // namespace retort::apps
