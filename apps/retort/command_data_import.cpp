// retort data import|balance|redact, and what the commands of `retort data` share.
#include <filesystem>
#include <iostream>

#include "data/data_import.h"
#include "data_command.h"
#include "host/base/json.h"
#include "host/base/printable.h"
#include "host/plugin/plugin_error.h"
#include "host/plugin/stop_request.h"
#include "task/dataset.h"

namespace retort::apps::data_commands {

namespace po = boost::program_options;

Variables parse(const Arguments& arguments, const CommandHelp& help, const po::options_description& options) {
  po::options_description hidden;
  hidden.add_options()("data", po::value<std::string>()->required());
  return parse_command_line(arguments, help, options, po::positional_options_description().add("data", 1), hidden);
}

std::filesystem::path data_of(const Variables& variables) {
  return (*variables)["data"].as<std::string>();
}

std::filesystem::path out_of(const Variables& variables) {
  return (*variables)["out"].as<std::string>();
}

po::options_description with_output() {
  po::options_description options("options");
  options.add_options()("out", po::value<std::string>()->required()->value_name("FOLDER"),
                        "where the rows are written; not there yet")("json", po::bool_switch(), "the counts as JSON");
  return options;
}

void stop_if_asked(std::int64_t) {
  if (host::stop_requested()) throw Stopped();
}

void say(const task::ReadingNotes& notes) {
  if (!notes.conversions.empty()) std::cout << "converted: " << task::ReadingNotes::listed(notes.conversions) << "\n";
  if (!notes.losses.empty()) std::cout << "left out: " << task::ReadingNotes::listed(notes.losses) << "\n";
}

int say(const Variables& variables, const data::JobReport& report) {
  const int code = report.kept == 0 ? exit_failure : exit_success;
  if (report.kept == 0 && variables->count("from") == 0)  // importing says more
    std::cerr << "error: no row is left of " << report.read << "\n";
  if ((*variables)["json"].as<bool>()) {
    std::cout << host::Json{{"read", report.read},
                            {"kept", report.kept},
                            {"unusable", report.unusable},
                            {"removed", report.removed},
                            {"changed", report.changed},
                            {"splits", report.splits},
                            {"notes", report.notes.to_json()}}
                     .dump(2)
              << "\n";
    return code;
  }
  std::cout << report.read << " rows read, " << report.kept << " kept";
  for (const auto& [split, rows] : report.splits) std::cout << ", " << host::printable(split) << " " << rows;
  std::cout << "\n";
  for (const auto& [kind, rows] : report.removed) std::cout << rows << " removed: " << kind << "\n";
  for (const auto& [kind, times] : report.changed) std::cout << times << " replaced: " << kind << "\n";
  if (report.unusable > 0) std::cout << report.unusable << " could not be used\n";
  say(report.notes);
  if (report.read > report.kept)
    std::cout << "what was left out, with reasons: " << (out_of(variables) / "rejected.jsonl").string() << "\n";
  return code;
}

int import_data(const Arguments& arguments) {
  std::string formats;
  for (const std::string& name : data::source_format_names()) formats += (formats.empty() ? "" : ", ") + name;
  po::options_description options = with_output();
  options.add_options()("from", po::value<std::string>()->required()->value_name("FORMAT"), formats.c_str())(
      "tools", po::value<std::string>()->default_value("")->value_name("FILE"),
      "tools.json for rows without tools of their own; without it they follow from the calls")(
      "text-column", po::value<std::string>()->default_value("")->value_name("NAME"),
      "of a table: what people say; else utterance, text, query, …")(
      "tool-column", po::value<std::string>()->default_value("")->value_name("NAME"),
      "of a table: the tool; else tool, function, intent, …; the other columns are its arguments")(
      "shared-tools", po::bool_switch(),
      "rows lose tools of their own, which are joined by their names into tools.json");
  const Variables variables = parse(
      arguments,
      {"retort data import DATA --from FORMAT --out FOLDER [options]",
       "Reads rows of other programs, plain or gzipped, as a data set: splits, tools.json, and rejected.jsonl for what "
       "cannot be used, by file and line.",
       "retort data import traces.json --from otel --out my_data"},
      options);
  if (!variables) return exit_success;
  data::SourceOptions source;
  source.path = data_of(variables);
  source.format = data::source_format((*variables)["from"].as<std::string>());
  source.text_column = (*variables)["text-column"].as<std::string>();
  source.tool_column = (*variables)["tool-column"].as<std::string>();
  source.shared_tools = (*variables)["shared-tools"].as<bool>();
  if (const std::string tools = (*variables)["tools"].as<std::string>(); !tools.empty())
    source.tools = task::read_tools(tools);
  const data::ImportReport report = data::import_rows(source, out_of(variables), stop_if_asked);
  say(variables, report);
  if (report.kept == 0)
    std::cerr << "error: no row could be used; is --from " << (*variables)["from"].as<std::string>() << " right?\n";
  const int code = report.kept == 0 ? exit_failure : exit_success;
  if ((*variables)["json"].as<bool>()) return code;
  std::cout << report.tools << " tools" << (report.derived ? ", found in the calls" : "") << "\n";
  for (const auto& [what, times] : report.passed_over) std::cout << times << " passed over: " << what << "\n";
  if (report.impossible_test > 0)
    std::cout << report.impossible_test << " rows of test call what no tool allows: they count as wrong\n";
  return code;
}

int balance(const Arguments& arguments) {
  po::options_description options = with_output();
  options.add_options()("most", po::value<std::int64_t>()->required()->value_name("N"),
                        "so many rows for training of each set of tools that rows call");
  const Variables variables = parse(arguments,
                                    {"retort data balance DATA --most N --out FOLDER",
                                     "Leaves out rows of what is asked for too often, evenly over the file.",
                                     "retort data balance my_data --most 500 --out balanced"},
                                    options);
  if (!variables) return exit_success;
  return say(variables, data::balance_rows(data_of(variables), out_of(variables),
                                           (*variables)["most"].as<std::int64_t>(), stop_if_asked));
}

int redact(const Arguments& arguments) {
  po::options_description options = with_output();
  options.add_options()(
      "what",
      po::value<std::vector<std::string>>()->multitoken()->composing()->value_name("KIND…")->default_value(
          data::PersonalData::kinds(), "email phone card ip"),
      "what is replaced")("pattern", po::value<std::vector<std::string>>()->composing()->value_name("NAME=PATTERN"),
                          "what else is; PCRE2's syntax, may be given again");
  const Variables variables = parse(
      arguments,
      {"retort data redact DATA --out FOLDER [options]",
       "Replaces personal data by placeholders such as [EMAIL_1], the same value by the same one within a row, in "
       "texts, arguments and metadata.",
       "retort data redact logs --pattern 'customer=C-[0-9]{6}' --out clean"},
      options);
  if (!variables) return exit_success;
  std::vector<std::pair<std::string, std::string>> patterns;
  if (variables->count("pattern") > 0)
    for (const std::string& one : (*variables)["pattern"].as<std::vector<std::string>>()) {
      const std::size_t equals = one.find('=');
      patterns.emplace_back(one.substr(0, equals), equals == std::string::npos ? "" : one.substr(equals + 1));
      if (equals == std::string::npos)
        throw std::invalid_argument("--pattern: expected NAME=PATTERN, found \"" + one + "\"");
    }
  const data::PersonalData personal((*variables)["what"].as<std::vector<std::string>>(), patterns);
  return say(variables, data::redact_rows(data_of(variables), out_of(variables), personal, stop_if_asked));
}

}  // namespace retort::apps::data_commands
