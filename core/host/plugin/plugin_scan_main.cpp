// retort-plugin-scan: the process that loads a library first, so that a crash or a hang is not the host's. Writes JSON
// to descriptor 3 (see host/base/child_process.h). Not for users: `retort plugins` runs it.
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <iostream>
#include <iterator>
#include <string>

#include "host/base/child_process.h"
#include "host/plugin/conformance.h"
#include "host/plugin/registry.h"
#include "host/run/stage_check.h"

namespace {

int run(const std::string& mode, const std::string& argument) {
  using namespace retort::host;
  if (mode == "scan") return scan_plugin_in_this_process(argument, result_descriptor);
  if (mode == "check") {
    const std::string parameters{std::istreambuf_iterator<char>(std::cin), {}};
    return check_plugin_in_this_process(argument, result_descriptor, parse_json(parameters, "parameters"));
  }
  if (mode == "check-stages") return check_stages_in_this_process(std::stoul(argument), result_descriptor);
  std::fprintf(stderr, "unknown mode %s\n", mode.c_str());
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr,
                 "usage: retort-plugin-scan scan|check LIBRARY, or check-stages NUMBER (run by retort, with descriptor "
                 "3 open and its job on standard input)\n");
    return 2;
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit no_core_files{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core_files);
  int code = 1;
  try {
    code = run(argv[1], argv[2]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
  }
  ::_exit(code);  // the report is written; what the library does at exit is not part of it
}
