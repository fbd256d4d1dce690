// retort data stats|dedup|decontaminate|split|show|export; the others are in command_data_import.cpp.
#include <filesystem>
#include <iostream>
#include <map>

#include "data/data_jobs.h"
#include "data/data_page.h"
#include "data/data_rows.h"
#include "data/preference_pairs.h"
#include "data/statistics.h"
#include "data_command.h"
#include "host/base/files.h"
#include "host/base/json.h"
#include "host/base/printable.h"
#include "host/plugin/plugin_error.h"

namespace retort::apps {
namespace data_commands {

namespace po = boost::program_options;

namespace {

int stats(const Arguments& arguments) {
  po::options_description options("options");
  options.add_options()("json", po::bool_switch(), "everything that was counted, as JSON")(
      "tools", po::value<std::size_t>()->default_value(10)->value_name("N"), "so many tools a split, the commonest");
  const Variables variables = parse(arguments,
                                    {"retort data stats DATA [options]",
                                     "Says what a data set is made of: rows, calls, tools, lengths, what is said twice "
                                     "and what contradicts itself. DATA is a JSONL file or a folder of splits.",
                                     "retort data stats my_data"},
                                    options);
  if (!variables) return exit_success;
  data::Statistics statistics;
  task::ReadingNotes notes;
  data::for_each_row(data::data_files(data_of(variables)), notes, [&](data::DataRow& row) {
    if (row.line % 1024 == 0) stop_if_asked(row.line);
    statistics.take(row);
  });
  if ((*variables)["json"].as<bool>()) {
    host::Json result = data::to_json(statistics.splits());
    result["notes"] = notes.to_json();
    std::cout << result.dump(2, ' ', false, host::Json::error_handler_t::replace) << "\n";
    return exit_success;
  }
  std::cout << data::to_text(statistics.splits(), (*variables)["tools"].as<std::size_t>());
  say(notes);
  return exit_success;
}

int dedup(const Arguments& arguments) {
  po::options_description options = with_output();
  options.add_options()("near", po::value<double>()->default_value(1)->value_name("S"),
                        "rows whose words and pairs of words are alike by S (Jaccard) count as the same, such as 0.8")(
      "any-answer", po::bool_switch(), "also where the answers differ; else such rows stay");
  const Variables variables =
      parse(arguments,
            {"retort data dedup DATA --out FOLDER [options]",
             "Leaves out rows that an earlier row of the same split has said already, letters' case and punctuation "
             "aside, with the same answer.",
             "retort data dedup my_data --near 0.8 --out cleaner"},
            options);
  if (!variables) return exit_success;
  return say(variables,
             data::remove_duplicates(data_of(variables), out_of(variables), (*variables)["near"].as<double>(),
                                     (*variables)["any-answer"].as<bool>(), stop_if_asked));
}

int decontaminate(const Arguments& arguments) {
  po::options_description options = with_output();
  options.add_options()("against", po::value<std::string>()->default_value("")->value_name("DATA"),
                        "rows that must not be trained on; without it the splits validation and test of DATA itself")(
      "n-gram", po::value<std::size_t>()->default_value(8)->value_name("N"),
      "words that must stand together; shorter texts count as a whole")(
      "share", po::value<double>()->default_value(0.5)->value_name("S"), "of a reference's words in such n-grams");
  const Variables variables =
      parse(arguments,
            {"retort data decontaminate DATA --out FOLDER [options]",
             "Leaves out rows that hold what a test asks: the same words, or n-grams that cover "
             "a share of them.",
             "retort data decontaminate my_data --against benchmark.jsonl --out clean"},
            options);
  if (!variables) return exit_success;
  return say(variables,
             data::remove_contaminated(data_of(variables), out_of(variables), (*variables)["against"].as<std::string>(),
                                       (*variables)["n-gram"].as<std::size_t>(), (*variables)["share"].as<double>(),
                                       stop_if_asked));
}

int split(const Arguments& arguments) {
  po::options_description options = with_output();
  options.add_options()("validation", po::value<double>()->default_value(0.1), "share of the rows")(
      "test", po::value<double>()->default_value(0.1), "share of the rows")(
      "seed", po::value<std::uint64_t>()->default_value(0), "of the choice");
  const Variables variables =
      parse(arguments,
            {"retort data split FILE --out FOLDER [options]",
             "Cuts one file into train, validation and test, by tools; rows of the same words stay together.",
             "retort data split rows.jsonl --out my_data"},
            options);
  if (!variables) return exit_success;
  return say(variables, data::split_rows(data_of(variables), out_of(variables),
                                         {(*variables)["validation"].as<double>(), (*variables)["test"].as<double>()},
                                         (*variables)["seed"].as<std::uint64_t>(), stop_if_asked));
}

int export_data(const Arguments& arguments) {
  po::options_description options = with_output();
  options.add_options()("format", po::value<std::string>()->required()->value_name("NAME"),
                        "openai, trl, axolotl or llama-factory")(
      "worse", po::value<std::string>()->default_value("")->value_name("DATA"),
      "rows with worse answers to the same questions: pairs for preference training are written");
  const Variables variables =
      parse(arguments,
            {"retort data export DATA --format NAME --out FOLDER",
             "Writes labelled rows, or pairs of better and worse answers, as another trainer reads "
             "them, tools in every row.",
             "retort data export my_data --format trl --out for_trl"},
            options);
  if (!variables) return exit_success;
  const data::ChatFormat format = data::chat_format((*variables)["format"].as<std::string>());
  const std::string worse = (*variables)["worse"].as<std::string>();
  return say(variables, worse.empty()
                            ? data::export_rows(data_of(variables), out_of(variables), format, stop_if_asked)
                            : data::export_pairs(data_of(variables), worse, out_of(variables), format, stop_if_asked));
}

int show(const Arguments& arguments) {
  po::options_description options("options");
  options.add_options()("out", po::value<std::string>()->default_value("data.html")->value_name("FILE"), "the page")(
      "rows", po::value<std::size_t>()->default_value(2000)->value_name("N"), "at most so many on the page");
  const Variables variables =
      parse(arguments,
            {"retort data show DATA [options]",
             "Writes an HTML page of rows with filters by split, tool, kind and reason; it loads nothing.",
             "retort data show my_data --out my_data.html"},
            options);
  if (!variables) return exit_success;
  const std::filesystem::path path = data_of(variables);
  data::DataPage page(path.filename().empty() ? path.string() : path.filename().string(),
                      (*variables)["rows"].as<std::size_t>());
  task::ReadingNotes notes;
  std::int64_t usable = 0, unusable = 0, rejected = 0;
  data::for_each_row(data::data_files(path), notes, [&](data::DataRow& row) {
    if (row.line % 1024 == 0) stop_if_asked(row.line);
    ++(row.reason.empty() ? usable : unusable);
    page.take(row);
  });
  if (std::filesystem::exists(path / "rejected.jsonl"))
    data::for_each_rejected(path / "rejected.jsonl", [&](data::DataRow& row) {
      ++rejected;
      page.take(row);
    });
  host::write_file_atomically(out_of(variables), page.render());
  std::cout << out_of(variables).string() << ": " << usable << " rows, " << unusable << " that cannot be used, "
            << rejected << " rejected before\n";
  if (usable == 0) std::cerr << "warning: no row is a chat row; `retort data import` reads those of other programs\n";
  return exit_success;
}

const char* const usage = R"(usage: retort data import DATA         rows of other programs as a data set
       retort data stats DATA          what a data set is made of
       retort data dedup DATA          without rows that say the same
       retort data decontaminate DATA  without rows that hold what a test asks
       retort data balance DATA        without what is asked for too often
       retort data redact DATA         without e-mail addresses, phone and card numbers
       retort data split FILE          train, validation and test of one file
       retort data show DATA           an HTML page of rows with filters
       retort data export DATA         rows for TRL, axolotl or LLaMA-Factory

DATA is a JSONL file of chat rows, or a folder with one for each split. Nothing is changed in place.
`retort data COMMAND --help` shows the options.
)";

int run(const Arguments& arguments) {
  static const std::map<std::string, Command> commands = {
      {"stats", stats},     {"dedup", dedup},        {"split", split},
      {"show", show},       {"export", export_data}, {"import", import_data},
      {"balance", balance}, {"redact", redact},      {"decontaminate", decontaminate}};
  if (!arguments.empty() && (arguments[0] == "--help" || arguments[0] == "-h")) {
    std::cout << usage;
    return exit_success;
  }
  const auto command = arguments.empty() ? commands.end() : commands.find(arguments[0]);
  if (command == commands.end())
    throw std::invalid_argument(
        "data: expected import, stats, dedup, decontaminate, balance, redact, split, show or export, found " +
        (arguments.empty() ? "nothing" : "\"" + arguments[0] + "\"") + "; see `retort data --help`");
  try {
    return command->second(Arguments(arguments.begin() + 1, arguments.end()));
  } catch (const Stopped&) {
    std::cerr << "stopped; nothing was written\n";
    return exit_interrupted;
  }
}

}  // namespace
}  // namespace data_commands

int data_command(const Arguments& arguments) {
  return data_commands::run(arguments);
}

}  // namespace retort::apps
