// The contract between main and the subcommands: one function per command, one file per function
// (command_<name>.cpp). Commands parse arguments and choose exit codes; the work is in core.
#pragma once

#include <boost/program_options.hpp>
#include <optional>
#include <string>
#include <vector>

namespace retort::apps {

/// Exit codes, the same for every command.
inline constexpr int exit_success = 0;
inline constexpr int exit_failure = 1;        ///< the world: a file, a disk, a component that failed
inline constexpr int exit_usage = 2;          ///< the caller: arguments, config, a file that is not what it should be
inline constexpr int exit_interrupted = 130;  ///< stopped by SIGINT or SIGTERM; `retort run` again goes on from there

using Arguments = std::vector<std::string>;  ///< what follows the command's name

/// A command. Prints results to stdout, everything else to stderr. May throw std::invalid_argument (or Boost's
/// program_options::error), which main reports with exit code 2, and any other std::exception, reported with 1.
using Command = int (*)(const Arguments& arguments);

int run_command(const Arguments& arguments);
int sweep_command(const Arguments& arguments);
int check_command(const Arguments& arguments);
int plan_command(const Arguments& arguments);
int show_command(const Arguments& arguments);
int call_command(const Arguments& arguments);
int eval_command(const Arguments& arguments);
int perplexity_command(const Arguments& arguments);
int verify_command(const Arguments& arguments);
int pack_command(const Arguments& arguments);
int generate_command(const Arguments& arguments);
int grammar_command(const Arguments& arguments);
int template_command(const Arguments& arguments);
int bench_command(const Arguments& arguments);
int import_command(const Arguments& arguments);
int export_command(const Arguments& arguments);
int tokenize_command(const Arguments& arguments);
int data_command(const Arguments& arguments);
int plugins_command(const Arguments& arguments);

/// What --help of a command prints before its options.
struct CommandHelp {
  std::string usage;    ///< "retort run CONFIG [options]"
  std::string summary;  ///< one line or a short paragraph
  std::string example;  ///< one command line
};

/// Parses `arguments`; adds --help to `options`. Nothing when --help was asked for and printed. Throws
/// program_options::error for an unknown or malformed option, or too many positional arguments.
std::optional<boost::program_options::variables_map> parse_command_line(
    const Arguments& arguments, const CommandHelp& help, boost::program_options::options_description options,
    const boost::program_options::positional_options_description& positional,
    const boost::program_options::options_description& hidden = boost::program_options::options_description());

}  // namespace retort::apps
