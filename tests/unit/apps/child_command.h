// Runs the built `retort` as a user would, in a folder of its own, and keeps what it said.
#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace retort::apps {

struct Outcome {
  int code = -1;  ///< exit code, or minus the signal
  std::string out, err;
  std::int64_t peak_kilobytes = 0;  ///< greatest resident memory
};

class ChildCommand {
 public:
  /// Starts it with standard output and error into files of `folder`, and nothing or a file to read. HOME and the
  /// caches are in `folder` too.
  ChildCommand(const std::filesystem::path& folder, std::vector<std::string> arguments,
               std::filesystem::path standard_output = {}, const std::filesystem::path& standard_input = "/dev/null")
      : folder_(folder), out_(standard_output.empty() ? folder / "stdout.txt" : std::move(standard_output)) {
    arguments.insert(arguments.begin(), RETORT_COMMAND);
    std::vector<char*> values;
    for (std::string& argument : arguments) values.push_back(argument.data());
    values.push_back(nullptr);
    bring_scans(folder);
    child_ = ::fork();
    if (child_ != 0) return;
    ::setenv("HOME", folder.c_str(), 1);
    for (const char* name : {"XDG_CACHE_HOME", "XDG_DATA_HOME"}) ::setenv(name, folder.c_str(), 1);
    ::unsetenv("RETORT_PLUGIN_PATH");
    redirect(STDIN_FILENO, standard_input, O_RDONLY);
    redirect(STDOUT_FILENO, out_, O_WRONLY | O_CREAT | O_TRUNC);
    redirect(STDERR_FILENO, folder / "stderr.txt", O_WRONLY | O_CREAT | O_TRUNC);
    ::execv(values[0], values.data());
    ::_exit(127);
  }
  /// What an earlier command of any test learnt of the plugins becomes the cache in `folder`: a scan of all takes
  /// seconds.
  static void bring_scans(const std::filesystem::path& folder) { copy_scans(scans(), scans_of(folder)); }
  pid_t id() const { return child_; }
  Outcome wait() const {
    int status = 0;
    struct rusage usage{};
    ::wait4(child_, &status, 0, &usage);
    Outcome outcome;
    outcome.peak_kilobytes = usage.ru_maxrss;
    outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    if (std::filesystem::is_regular_file(out_)) outcome.out = content(out_);
    outcome.err = content(folder_ / "stderr.txt");
    copy_scans(scans_of(folder_), scans());
    return outcome;
  }

 private:
  static std::filesystem::path scans_of(const std::filesystem::path& folder) {
    return folder / "retort" / "plugins.json";
  }
  static std::filesystem::path scans() {
    return std::filesystem::path(RETORT_COMMAND).parent_path().parent_path() / "test-scans.json";
  }
  /// Unless there is one as new; whole or not at all.
  static void copy_scans(const std::filesystem::path& from, const std::filesystem::path& to) {
    namespace fs = std::filesystem;
    std::error_code ignored;
    const fs::file_time_type written = fs::last_write_time(from, ignored);
    if (ignored || (fs::exists(to, ignored) && fs::last_write_time(to, ignored) >= written)) return;
    fs::create_directories(to.parent_path(), ignored);
    const fs::path fresh = to.string() + "." + std::to_string(::getpid());
    fs::copy_file(from, fresh, fs::copy_options::overwrite_existing, ignored);
    fs::rename(fresh, to, ignored);
  }
  /// In the child, which ends where it cannot.
  static void redirect(int descriptor, const std::filesystem::path& path, int flags) {
    const int file = ::open(path.c_str(), flags, 0644);
    if (file < 0 || ::dup2(file, descriptor) < 0) ::_exit(126);
  }
  static std::string content(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  std::filesystem::path folder_, out_;
  pid_t child_ = -1;
};

}  // namespace retort::apps
