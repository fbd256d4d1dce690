// retort show PATH
#include <iostream>

#include "command.h"
#include "host/inspection.h"

namespace retort::apps {

namespace po = boost::program_options;

int show_command(const Arguments& arguments) {
  po::options_description options("options"), hidden;
  po::positional_options_description positional;
  options.add_options()("json", po::bool_switch(), "as JSON; what is not known is null");
  hidden.add_options()("path", po::value<std::string>()->required());
  positional.add("path", 1);
  const auto variables = parse_command_line(
      arguments,
      {"retort show PATH [options]",
       "Describes a run directory (stages, table of results), an artifact (what it was made of) or a model folder.",
       "retort show runs/quickstart"},
      options, positional, hidden);
  if (!variables) return exit_success;
  const std::filesystem::path path = (*variables)["path"].as<std::string>();
  std::cout << ((*variables)["json"].as<bool>() ? host::inspect(path).dump(2) : host::inspection_text(path)) << "\n";
  return exit_success;
}

}  // namespace retort::apps
