// retort: finds the command, runs it, and turns what it throws into an exit code and one message.
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/program_options.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <map>
#include <new>

#include "command.h"
#include "host/base/diagnostic.h"
#include "host/base/log.h"
#include "host/config/stage_key.h"
#include "host/plugin/plugin_error.h"
#include "host/plugin/process_end.h"
#include "host/run/interruption.h"

namespace retort::apps {
namespace {

struct Entry {
  Command command;
  const char* summary;
};

const std::map<std::string, Entry>& commands() {
  static const std::map<std::string, Entry> all = {
      {"run", {run_command, "run a config; goes on where an earlier run of it stopped"}},
      {"sweep", {sweep_command, "run a config with one value after another and compare"}},
      {"check", {check_command, "say everything that is wrong with a config"}},
      {"plan", {plan_command, "say what a run would do, and why"}},
      {"show", {show_command, "describe a run, an artifact or a model folder"}},
      {"call", {call_command, "let a model answer one utterance with calls"}},
      {"eval", {eval_command, "measure a model on a labelled dataset"}},
      {"perplexity", {perplexity_command, "measure how well a model predicts a text"}},
      {"verify", {verify_command, "compute a package's golden calls again and compare"}},
      {"pack", {pack_command, "write a model as this machine's kernels keep it, to be mapped"}},
      {"generate", {generate_command, "let a model continue a text"}},
      {"grammar", {grammar_command, "compile a JSON Schema to a grammar and say which instances it takes"}},
      {"template", {template_command, "print the prompt that a chat template makes of messages"}},
      {"bench", {bench_command, "measure how fast a model runs"}},
      {"import", {import_command, "make a model folder of a GGUF file or a llama2.c checkpoint"}},
      {"export", {export_command, "write a model folder as GGUF, or in floating point"}},
      {"tokenize", {tokenize_command, "turn text into token ids, or back"}},
      {"data", {data_command, "look into data sets, clean, split and hand them on"}},
      {"plugins", {plugins_command, "list, describe and verify plugins"}},
  };
  return all;
}

void print_help(std::ostream& out) {
  out << "retort " << host::product_version() << ": from a function-calling prototype to a super-tiny model\n\n"
      << "  retort COMMAND [arguments]        retort COMMAND --help\n\ncommands:\n";
  for (const char* name : {"run", "sweep", "check", "plan", "show", "call", "eval", "perplexity", "verify", "generate",
                           "tokenize", "grammar", "template", "bench", "import", "export", "pack", "data", "plugins"})
    out << "  " << name << std::string(12 - std::string(name).size(), ' ') << commands().at(name).summary << "\n";
  out << "\noptions:\n  --version   print the version\n  --help      print this\n\n"
      << "exit codes: 0 done, 1 failed, 2 wrong arguments or config, 130 stopped by Ctrl-C\n"
      << "example: retort run configs/quickstart.json\n";
}

int unknown_command(const std::string& name) {
  std::vector<std::string> names = {"help"};
  for (const auto& command : commands()) names.push_back(command.first);
  const std::string nearest = host::nearest_name(name, names);
  std::cerr << "error: unknown command '" << name << "'"
            << (nearest.empty() ? "; see `retort help`" : "; did you mean '" + nearest + "'?") << "\n";
  return exit_usage;
}

int dispatch(const Arguments& arguments) {
  const std::string name = arguments.empty() ? "" : arguments[0];
  if (name.empty()) {
    print_help(std::cerr);
    return exit_usage;
  }
  if (name == "--version" || name == "version") {
    std::cout << "retort " << host::product_version() << "\n";
    return exit_success;
  }
  if (name == "--help" || name == "-h" || (name == "help" && arguments.size() == 1)) {
    print_help(std::cout);
    return exit_success;
  }
  if (name == "help") return dispatch({arguments[1], "--help"});
  const auto found = commands().find(name);
  if (found == commands().end()) return unknown_command(name);
  return found->second.command(Arguments(arguments.begin() + 1, arguments.end()));
}

int guarded(const Arguments& arguments) {
  try {
    return dispatch(arguments);
  } catch (const boost::program_options::error& error) {
    host::log_error(std::string(error.what()) + "; see `retort " + (arguments.empty() ? "" : arguments[0]) +
                    " --help`");
    return exit_usage;
  } catch (const std::invalid_argument& error) {
    host::log_error(error.what());
    return exit_usage;
  } catch (const host::PluginError& error) {
    host::log_error(error.what());
    return error.code() == RETORT_ERROR_INVALID_ARGUMENT ? exit_usage : exit_failure;
  } catch (const std::bad_alloc&) {
    host::log_error("out of memory");
    return exit_failure;
  } catch (const std::exception& error) {
    host::log_error(error.what());
    return exit_failure;
  }
}

}  // namespace
}  // namespace retort::apps

/// Stands before libc's for every library of this process: a plugin that ends the process without exit handlers is
/// found out as well.
extern "C" [[noreturn]] void _exit(int code) {
  retort::host::refuse_unasked_exit(code);
  ::syscall(SYS_exit_group, code);
  __builtin_unreachable();
}

int main(int count, char** values) {
  retort::host::install_signal_handlers();
  retort::host::start_log(false);
  int code = retort::apps::guarded(retort::apps::Arguments(values + 1, values + count));
  // A result that could not be written (a full disk behind a redirection) is not a success.
  std::cout.flush();
  if (code == 0 && !std::cout) {
    std::fputs("error: cannot write the result to standard output\n", stderr);
    code = retort::apps::exit_failure;
  }
  retort::host::begin_process_end(code);
  return code;
}
