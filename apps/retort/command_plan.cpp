// retort plan CONFIG
#include <iostream>

#include "config_options.h"
#include "host/run/pipeline.h"

namespace retort::apps {

namespace po = boost::program_options;

int plan_command(const Arguments& arguments) {
  po::options_description options("options"), hidden;
  po::positional_options_description positional;
  add_config_options(options, hidden, positional);
  options.add_options()("run-dir", po::value<std::string>()->value_name("FOLDER"),
                        "where the run lives (default: runs/<name of the config>)")(
      "verify", po::bool_switch(), "hash every file of artifacts that would be used again")("json", po::bool_switch(),
                                                                                            "as JSON");
  const auto variables = parse_command_line(
      arguments,
      {"retort plan CONFIG [options]",
       "Says for every stage whether its artifact is there already or it has to run, and why; changes nothing.",
       "retort plan configs/quickstart.json --set sft.epochs=5"},
      options, positional, hidden);
  if (!variables) return exit_success;
  std::optional<host::Registry> registry;
  const host::ResolvedConfig config = load_config(*variables, registry);
  const host::RunFolder folder(run_directory(*variables, config));
  const auto plan = host::plan_pipeline(
      config, folder, (*variables)["verify"].as<bool>() ? host::Verification::full : host::Verification::sizes);
  host::Json json = host::Json::array();
  for (const host::PlannedStage& stage : plan) {
    if ((*variables)["json"].as<bool>())
      json.push_back({{"name", stage.name},
                      {"stage", stage.component},
                      {"action", stage.action},
                      {"reason", stage.reason},
                      {"artifact", stage.artifact.empty() ? host::Json() : host::Json(stage.artifact)}});
    else
      std::cout << stage.name << " (" << stage.component << "): " << stage.action
                << (stage.reason.empty() ? "" : ", " + stage.reason)
                << (stage.artifact.empty() ? "" : ", " + stage.artifact) << "\n";
  }
  if ((*variables)["json"].as<bool>())
    std::cout << json.dump(2, ' ', false, host::Json::error_handler_t::replace) << "\n";
  return exit_success;
}

}  // namespace retort::apps
