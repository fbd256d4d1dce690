// retort check CONFIG
#include <iostream>

#include "config_options.h"

namespace retort::apps {

namespace po = boost::program_options;

int check_command(const Arguments& arguments) {
  po::options_description options("options"), hidden;
  po::positional_options_description positional;
  add_config_options(options, hidden, positional);
  options.add_options()("resolved", po::bool_switch(), "print the config with every default filled in");
  const auto variables = parse_command_line(
      arguments,
      {"retort check CONFIG [options]", "Validates a whole config and reports every mistake at once; runs nothing.",
       "retort check configs/quickstart.json"},
      options, positional, hidden);
  if (!variables) return exit_success;
  std::optional<host::Registry> registry;
  const host::ResolvedConfig config = load_config(*variables, registry);
  if ((*variables)["resolved"].as<bool>())
    std::cout << config.document.dump(2) << "\n";
  else
    std::cout << (*variables)["config"].as<std::string>() << ": ok, " << config.stages.size() << " stages\n";
  return exit_success;
}

}  // namespace retort::apps
