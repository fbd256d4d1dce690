// retort run CONFIG
#include <chrono>
#include <iostream>

#include "config_options.h"
#include "host/base/log.h"
#include "host/base/numeric_environment.h"
#include "host/base/printable.h"
#include "host/base/progress.h"
#include "host/plugin/host_extensions.h"
#include "host/report/run_results.h"
#include "host/run/interruption.h"
#include "host/run/pipeline.h"
#include "host/run/stage_check.h"
#include "runtime/generate/host_models.h"

namespace retort::apps {

namespace po = boost::program_options;

namespace {

/// Returns whether every proof of the run held.
bool print_outcome(const host::RunFolder& folder, double seconds) {
  const host::RunResults results = host::read_results(folder);
  const std::string table = host::printable(host::results_table(results));
  if (!table.empty()) std::cout << table << "\n\n";
  std::cout << "report  " << folder.report().string() << "\n";
  if (std::filesystem::exists(folder.model_link())) std::cout << "model   " << folder.model_link().string() << "\n";
  std::cout << "time    " << host::format_duration(seconds) << "\n";
  bool proved = true;
  for (const host::Verdict& verdict : results.verdicts) {
    if (!verdict.failed()) continue;
    host::log_error("stage \"" + verdict.stage + "\": " + verdict.text + "; the run is complete all the same");
    proved = false;
  }
  return proved;
}

}  // namespace

int run_command(const Arguments& arguments) {
  po::options_description options("options"), hidden;
  po::positional_options_description positional;
  add_config_options(options, hidden, positional);
  options.add_options()("run-dir", po::value<std::string>()->value_name("FOLDER"),
                        "where the run lives (default: runs/<name of the config>)")(
      "verify", po::bool_switch(), "hash every file of artifacts that are used again")(
      "quiet,q", po::bool_switch(), "no progress; only warnings, errors and the result");
  const auto variables = parse_command_line(arguments,
                                            {"retort run CONFIG [options]",
                                             "Runs the stages of a config. A stage whose inputs, parameters and "
                                             "component have not changed is not run again,\n"
                                             "and a run that was stopped or killed goes on where it was.",
                                             "retort run configs/quickstart.json --set seed=3"},
                                            options, positional, hidden);
  if (!variables) return exit_success;

  const auto start = std::chrono::steady_clock::now();
  const bool quiet = (*variables)["quiet"].as<bool>();
  host::start_log(quiet);
  host::stop_when_unseen();
  host::prepare_numeric_environment();
  std::optional<host::Registry> registry;
  const host::ResolvedConfig config = load_config(*variables, registry);
  host::require_sound_stages(config, *registry);
  host::register_host_extension(RETORT_HOST_MODELS_EXTENSION, &runtime::host_models());
  const host::RunFolder folder(run_directory(*variables, config));
  const host::RunOptions run{(*variables)["verify"].as<bool>() ? host::Verification::full : host::Verification::sizes,
                             quiet};
  if (host::run_pipeline(config, *registry, folder, run) == host::RunEnd::interrupted) {
    host::log_warning("stopped; the same command goes on from here");
    return exit_interrupted;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return print_outcome(folder, seconds) ? exit_success : exit_failure;
}

}  // namespace retort::apps
