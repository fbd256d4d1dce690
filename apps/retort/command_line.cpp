#include <iostream>

#include "command.h"

namespace retort::apps {

namespace po = boost::program_options;

std::optional<po::variables_map> parse_command_line(const Arguments& arguments, const CommandHelp& help,
                                                    po::options_description options,
                                                    const po::positional_options_description& positional,
                                                    const po::options_description& hidden) {
  options.add_options()("help,h", "print this");
  po::options_description all;
  all.add(options).add(hidden);
  po::variables_map variables;
  // No guessing: an abbreviated option would change its meaning when another is added.
  const int style = po::command_line_style::default_style & ~po::command_line_style::allow_guessing;
  po::store(po::command_line_parser(arguments).options(all).positional(positional).style(style).run(), variables);
  if (variables.count("help") > 0) {
    std::cout << "usage: " << help.usage << "\n\n"
              << help.summary << "\n\n"
              << options << "\nexample: " << help.example << "\n";
    return std::nullopt;
  }
  po::notify(variables);
  return variables;
}

}  // namespace retort::apps
