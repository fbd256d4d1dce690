// retort check CONFIG
#include <cstdlib>
#include <iostream>

#include "config_options.h"
#include "host/run/stage_check.h"

namespace retort::apps {

namespace po = boost::program_options;

int check_command(const Arguments& arguments) {
  po::options_description options("options"), hidden;
  po::positional_options_description positional;
  add_config_options(options, hidden, positional);
  options.add_options()("resolved", po::bool_switch(), "print the config with every default filled in")(
      "data", po::bool_switch(), "read all rows of the data, not only the first, and say how many can be used");
  const auto variables = parse_command_line(
      arguments,
      {"retort check CONFIG [options]",
       "Validates a whole config and reports every mistake at once: keys, files, what components and stages say\n"
       "of each other, which variables for keys are missing, the first rows of the data. Runs nothing.",
       "retort check configs/quickstart.json"},
      options, positional, hidden);
  if (!variables) return exit_success;
  std::optional<host::Registry> registry;
  const host::ResolvedConfig config = load_config(*variables, registry);
  if ((*variables)["data"].as<bool>()) ::setenv("RETORT_CHECK_DATA", "1", 1);  // stages read it, in a child process
  host::require_sound_stages(config, *registry);
  if ((*variables)["resolved"].as<bool>())
    std::cout << config.document.dump(2) << "\n";
  else
    std::cout << (*variables)["config"].as<std::string>() << ": ok, " << config.stages.size() << " stages\n";
  return exit_success;
}

}  // namespace retort::apps
