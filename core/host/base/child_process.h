// Runs a program that may crash, hang or write anything anywhere, and comes back with what it said.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace retort::host {

/// Where the child writes its result. Not stdout: code that the child loads may print.
inline constexpr int result_descriptor = 3;

struct ChildResult {
  std::string output;      ///< what it wrote to result_descriptor
  std::string last_words;  ///< the end of what it wrote to stderr
  bool timed_out = false;
  bool too_long = false;  ///< it was killed for writing more than 64 MiB
  int exit_code = -1;     ///< -1 unless it exited
  int signal = 0;         ///< that ended it
  bool succeeded() const { return !timed_out && !too_long && exit_code == 0; }
};

/// stdin holds `input`, stdout is /dev/null, descriptors above result_descriptor are closed, and the child leads a
/// process group of its own: when it ends, or `seconds` are over, the whole group is killed. Throws std::runtime_error
/// if the program cannot be started. [any-thread]
ChildResult run_child(const std::filesystem::path& program, const std::vector<std::string>& arguments, double seconds,
                      const std::string& input = "");

/// "crashed (SIGSEGV)", "did not finish within 10 s", "ended with exit code 3", with its last words.
std::string how_it_ended(const ChildResult& result, double seconds);

}  // namespace retort::host
