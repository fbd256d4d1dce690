// retort eval MODEL DATA
#include <iostream>

#include "call_grammar.h"
#include "host/base/json.h"
#include "host/base/log.h"
#include "host/base/number_format.h"
#include "host/base/progress.h"
#include "host/plugin/plugin_error.h"
#include "model_options.h"
#include "runtime/measure/evaluation.h"
#include "runtime/measure/row_groups.h"
#include "task/dataset.h"

namespace retort::apps {

namespace po = boost::program_options;

namespace {

struct Labelled {
  std::filesystem::path file;
  std::vector<runtime::LabelledUtterance> utterances;
  std::size_t unlabelled = 0, rejected = 0;
  std::size_t impossible = 0;  ///< labels that the model's tools do not allow: they count as wrong
};

/// `path`: a dataset folder (its test split) or a JSONL file.
Labelled read_labelled(const std::filesystem::path& path, double max_rejected_share, task::Turns turns) {
  Labelled data;
  data.file = std::filesystem::is_directory(path) ? path / "test.jsonl" : path;
  const task::Split split = task::read_split(data.file, max_rejected_share, turns);
  if (!split.rejected.empty() || !split.tally.notes().empty())
    host::log_warning(split.tally.summary(data.file.string()));
  data.rejected = split.rejected.size();
  const auto training = runtime::TrainingValues::read(data.file.parent_path());
  for (const task::Example& example : split.examples) {
    if (example.calls)
      data.utterances.push_back({example.utterance(), *example.calls, example, runtime::groups_of(example, training)});
    else
      ++data.unlabelled;
  }
  if (data.utterances.empty())
    throw std::invalid_argument("'" + data.file.string() + "' has no labelled row: each needs an assistant message");
  return data;
}

/// Counts what no answer of the model could match, and says it; throws where that is every call.
void count_impossible(const task::PromptContract& contract, Labelled& data) {
  std::size_t calls = 0;
  std::string first;
  for (const runtime::LabelledUtterance& row : data.utterances) {
    calls += row.calls.empty() ? 0 : 1;
    for (const task::Call& call : row.calls) {
      const auto reason = task::invalid_reason(call, contract.tools_of(row.conversation));
      if (!reason) continue;
      if (first.empty()) first = "\"" + row.utterance + "\": " + *reason;
      ++data.impossible;
      break;
    }
  }
  if (data.impossible == 0) return;
  const std::string found = "'" + data.file.string() + "': " + std::to_string(data.impossible) + " of " +
                            std::to_string(data.utterances.size()) +
                            " rows have labels that the model's tools do not allow; the first: " + first;
  if (data.impossible == calls) throw std::invalid_argument(found + ". The data belong to another task");
  host::log_warning(found + ". They count as wrong");
}

host::Json to_json(const std::map<std::string, runtime::Score>& scores) {
  host::Json json = host::Json::object();
  for (const auto& [name, score] : scores) json[name] = {{"utterances", score.utterances}, {"exact", score.exact}};
  return json;
}

host::Json to_json(const runtime::Evaluation& evaluation, const Labelled& data, const std::string& model) {
  host::Json misses = host::Json::array();
  for (const runtime::Evaluation::Miss& miss : evaluation.misses)
    misses.push_back({{"utterance", miss.utterance},
                      {"expected", task::calls_to_json(miss.expected)},
                      {"found", miss.found},
                      {"reason", miss.reason}});
  return {{"model", model},
          {"data", data.file.string()},
          {"utterances", evaluation.utterances},
          {"unlabelled", data.unlabelled},
          {"rejected", data.rejected},
          {"impossible", data.impossible},
          {"exact_match", evaluation.exact_match},
          {"malformed", evaluation.malformed},
          {"cut", evaluation.cut},
          {"p50_ms", evaluation.p50_ms},
          {"p90_ms", evaluation.p90_ms},
          {"p99_ms", evaluation.p99_ms},
          {"tools", to_json(evaluation.tools)},
          {"groups", to_json(evaluation.groups)},
          {"misses", misses}};
}

void print_text(const runtime::Evaluation& evaluation, const Labelled& data) {
  std::cout << "utterances   " << evaluation.utterances << " (" << data.unlabelled << " unlabelled, " << data.rejected
            << " rejected)\n"
            << "exact match  " << host::format_percent(evaluation.exact_match) << "\n"
            << "malformed    " << host::format_percent(evaluation.malformed) << "\n"
            << "cut short    " << host::format_percent(evaluation.cut) << "\n"
            << "latency      p50 " << host::format_ms(evaluation.p50_ms) << "  p90 "
            << host::format_ms(evaluation.p90_ms) << "  p99 " << host::format_ms(evaluation.p99_ms) << "\n";
  for (const auto* scores : {&evaluation.tools, &evaluation.groups})
    for (const auto& [name, score] : *scores)
      std::cout << "  " << name << ": " << score.exact << "/" << score.utterances << "\n";
}

}  // namespace

int eval_command(const Arguments& arguments) {
  po::options_description options("options"), hidden;
  po::positional_options_description positional;
  options.add_options()("json", po::bool_switch(), "as JSON, every miss included")(
      "turns", po::value<std::string>()->default_value("last")->value_name("last|all"),
      "which assistant turns of a conversation are asked for")(
      "max-rejected-share", po::value<double>()->default_value(0.01)->value_name("SHARE"),
      "stop when a larger share of the rows cannot be used");
  add_grammar_options(options);
  add_model_options(options);
  hidden.add_options()("model", po::value<std::string>()->required())("data", po::value<std::string>()->required());
  positional.add("model", 1).add("data", 1);
  const auto variables = parse_command_line(
      arguments,
      {"retort eval MODEL DATA [options]",
       "Measures a model on labelled utterances: a dataset artifact (its test split) or a JSONL file of chat rows.",
       "retort eval runs/quickstart/model runs/quickstart/stages/prototype"},
      options, positional, hidden);
  if (!variables) return exit_success;

  const std::string turns = (*variables)["turns"].as<std::string>();
  if (turns != "last" && turns != "all")
    throw std::invalid_argument("--turns: expected last or all, found '" + turns + "'");
  Labelled data = read_labelled((*variables)["data"].as<std::string>(), (*variables)["max-rejected-share"].as<double>(),
                                turns == "all" ? task::Turns::all : task::Turns::last);
  const std::string path = (*variables)["model"].as<std::string>();
  runtime::CallModel model = open_model(path, *variables);
  apply_grammar_options(*variables, model);
  count_impossible(model.contract(), data);
  host::Progress progress(host::standard_error());
  runtime::Evaluation evaluation;
  try {
    evaluation = runtime::evaluate(model, data.utterances, [&](std::int64_t done, std::int64_t total) {
      progress.update("eval", done, total, "utterances");
      return !host::stop_requested();
    });
  } catch (const std::runtime_error&) {
    if (host::stop_requested()) return exit_interrupted;
    throw;
  }
  progress.clear();
  if ((*variables)["json"].as<bool>())
    std::cout << to_json(evaluation, data, path).dump(2, ' ', false, host::Json::error_handler_t::replace) << "\n";
  else
    print_text(evaluation, data);
  return exit_success;
}

}  // namespace retort::apps
