#include "host/base/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <sstream>
#include <stdexcept>

#include "host/base/files.h"

namespace retort::host {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t longest_output = std::size_t{64} << 20;
constexpr std::size_t longest_last_words = 400;

[[noreturn]] void fail(const std::string& what, int code) {
  throw std::runtime_error(what + ": " + std::strerror(code));
}

/// Both ends above the standard descriptors and the result descriptor, so that the child's dup2 calls cannot collide.
class Pipe {
 public:
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) fail("cannot make a pipe", errno);
    read_ = ::fcntl(ends[0], F_DUPFD_CLOEXEC, 10);
    write_ = ::fcntl(ends[1], F_DUPFD_CLOEXEC, 10);
    ::close(ends[0]);
    ::close(ends[1]);
    if (read_ < 0 || write_ < 0) fail("cannot make a pipe", errno);
    ::fcntl(read_, F_SETFL, O_NONBLOCK);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_read();
    close_write();
  }
  int read_end() const { return read_; }
  int write_end() const { return write_; }
  void close_read() { close(read_); }
  void close_write() { close(write_); }

 private:
  static void close(int& descriptor) {
    if (descriptor >= 0) ::close(descriptor);
    descriptor = -1;
  }
  int read_ = -1;
  int write_ = -1;
};

/// A file in memory that holds `text`, to be read from its beginning.
class TextFile {
 public:
  explicit TextFile(const std::string& text) {
    const int made = ::memfd_create("retort-input", MFD_CLOEXEC);
    descriptor_ = made < 0 ? made : ::fcntl(made, F_DUPFD_CLOEXEC, 10);
    if (made >= 0) ::close(made);
    if (descriptor_ < 0) fail("cannot make a file in memory", errno);
    write_all(descriptor_, text.data(), text.size());
    if (::lseek(descriptor_, 0, SEEK_SET) != 0) fail("cannot rewind a file in memory", errno);
  }
  TextFile(const TextFile&) = delete;
  TextFile& operator=(const TextFile&) = delete;
  ~TextFile() { ::close(descriptor_); }
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_ = -1;
};

/// Appends what is there; closes the pipe at its end.
void drain(Pipe& pipe, std::string& text) {
  std::array<char, 1 << 16> buffer;
  while (pipe.read_end() >= 0) {
    const ssize_t count = ::read(pipe.read_end(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return;  // nothing now
    if (count == 0) return pipe.close_read();
    text.append(buffer.data(), static_cast<std::size_t>(count));
    if (text.size() > longest_output) return;
  }
}

pid_t spawn(const std::filesystem::path& program, const std::vector<std::string>& arguments, const TextFile& input,
            const Pipe& result, const Pipe& errors) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input.descriptor(), STDIN_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, errors.write_end(), STDERR_FILENO);
  posix_spawn_file_actions_adddup2(&actions, result.write_end(), result_descriptor);
  posix_spawn_file_actions_addclosefrom_np(&actions, result_descriptor + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, defaults;
  sigemptyset(&none);
  sigfillset(&defaults);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

  std::string name = program.string();
  std::vector<std::string> copies = arguments;
  std::vector<char*> argv{name.data()};
  for (std::string& argument : copies) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t child = -1;
  const int code = ::posix_spawn(&child, name.c_str(), &actions, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (code != 0) fail("cannot start '" + name + "'", code);
  return child;
}

void keep_end(std::string& text, std::size_t size) {
  if (text.size() > size) text.erase(0, text.size() - size);
}

void record_status(int status, ChildResult& result) {
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
}

}  // namespace

ChildResult run_child(const std::filesystem::path& program, const std::vector<std::string>& arguments, double seconds,
                      const std::string& input) {
  ChildResult result;
  const TextFile text(input);
  Pipe output, errors;
  const pid_t child = spawn(program, arguments, text, output, errors);
  output.close_write();
  errors.close_write();
  const auto deadline = Clock::now() + std::chrono::duration<double>(seconds);
  for (int status = 0;;) {
    // The child's end, not the pipes', is what counts: a grandchild may hold them open. Hence the short wait.
    std::array<pollfd, 2> waits{{{output.read_end(), POLLIN, 0}, {errors.read_end(), POLLIN, 0}}};
    ::poll(waits.data(), waits.size(), 5);
    drain(output, result.output);
    drain(errors, result.last_words);
    keep_end(result.last_words, longest_last_words);
    result.too_long = result.output.size() > longest_output;
    const pid_t ended = ::waitpid(child, &status, WNOHANG);
    if (ended == child) record_status(status, result);
    if (ended != 0 && !(ended < 0 && errno == EINTR)) break;
    result.timed_out = Clock::now() >= deadline;
    if (result.timed_out || result.too_long) {
      ::kill(-child, SIGKILL);
      while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
      }
      return result;
    }
  }
  ::kill(-child, SIGKILL);  // what it left behind
  drain(output, result.output);
  drain(errors, result.last_words);
  keep_end(result.last_words, longest_last_words);
  return result;
}

std::string how_it_ended(const ChildResult& result, double seconds) {
  std::ostringstream text;
  if (result.timed_out) {
    text << "did not finish within " << seconds << " s";
  } else if (result.too_long) {
    text << "wrote more than " << (longest_output >> 20) << " MiB";
  } else if (result.signal != 0) {
    const char* name = ::sigabbrev_np(result.signal);
    text << "crashed (" << (name != nullptr ? "SIG" + std::string(name) : "signal " + std::to_string(result.signal))
         << ")";
  } else {
    text << "ended with exit code " << result.exit_code;
  }
  std::string words = result.last_words;
  while (!words.empty() && (words.back() == '\n' || words.back() == '\r')) words.pop_back();
  std::replace_if(words.begin(), words.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  if (!words.empty()) text << "; its last words: " << words;
  return text.str();
}

}  // namespace retort::host
