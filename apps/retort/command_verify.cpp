// retort verify MODEL
#include <cmath>
#include <iostream>

#include "host/base/json.h"
#include "host/base/number_format.h"
#include "host/base/printable.h"
#include "model_options.h"
#include "runtime/decoder/packed_weights.h"
#include "runtime/measure/golden_calls.h"

namespace retort::apps {

namespace po = boost::program_options;

namespace {

host::Json to_json(const runtime::GoldenVerdict& verdict, const std::vector<std::string>& files,
                   const std::string& model) {
  host::Json drifts = host::Json::array();
  for (const runtime::GoldenDrift& drift : verdict.drifts)
    drifts.push_back({{"call", drift.call},
                      {"utterance", drift.utterance},
                      {"place", drift.place},
                      {"expected", drift.expected},
                      {"found", drift.found}});
  return {{"model", model},           {"calls", verdict.calls},
          {"tokens", verdict.tokens}, {"greatest_difference", verdict.greatest_difference},
          {"drifts", drifts},         {"changed_files", files}};
}

void print_text(const runtime::GoldenVerdict& verdict, const std::vector<std::string>& files) {
  for (const std::string& file : files) std::cout << "changed  " << host::printable(file) << "\n";
  for (const runtime::GoldenDrift& drift : verdict.drifts)
    std::cout << "drift    golden call " << drift.call << " \"" << host::printable(drift.utterance) << "\", "
              << host::printable(drift.place) << ": expected " << host::printable(drift.expected) << ", found "
              << host::printable(drift.found) << "\n";
  std::cout << verdict.calls << " golden calls, " << verdict.drifts.size() << " drifted; " << verdict.tokens
            << " logits, the greatest difference " << verdict.greatest_difference << "\n";
}

}  // namespace

int verify_command(const Arguments& arguments) {
  po::options_description options("options"), hidden;
  po::positional_options_description positional;
  options.add_options()("json", po::bool_switch(), "as JSON")(
      "tolerance", po::value<double>()->default_value(0.05)->value_name("LOGITS"),
      "how far a logit may be from the stored one; another processor rounds and adds otherwise, the same one gives the "
      "same bits");
  add_model_options(options);
  hidden.add_options()("model", po::value<std::string>()->required());
  positional.add("model", 1);
  const auto variables = parse_command_line(
      arguments,
      {"retort verify MODEL [options]",
       "Computes a package's golden calls again on this machine: its files must be those that were exported, packed "
       "ones "
       "(`retort pack`) as they were written, each "
       "token's logit near the stored one, and the calls the same. Exit code 1 where something drifted.",
       "retort verify runs/quickstart/model"},
      options, positional, hidden);
  if (!variables) return exit_success;
  const double tolerance = (*variables)["tolerance"].as<double>();
  if (!(tolerance >= 0) || !std::isfinite(tolerance))
    throw std::invalid_argument("--tolerance: expected a number of at least 0");
  const std::string path = (*variables)["model"].as<std::string>();
  runtime::CallModel model = open_model(path, *variables);
  std::vector<std::string> files = runtime::changed_files(model.folder().path(), model.folder().retort());
  for (std::string& file : runtime::damaged_packed_files(model.folder())) files.push_back(std::move(file));
  const runtime::GoldenVerdict verdict = runtime::verify_golden_calls(model, tolerance);
  if ((*variables)["json"].as<bool>())
    std::cout << to_json(verdict, files, path).dump(2, ' ', false, host::Json::error_handler_t::replace) << "\n";
  else
    print_text(verdict, files);
  return verdict.drifts.empty() && files.empty() ? exit_success : exit_failure;
}

}  // namespace retort::apps
