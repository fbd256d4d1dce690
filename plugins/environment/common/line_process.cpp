#include "line_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
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
#include <utility>

namespace retort::environments {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t longest_last_words = 400;
constexpr double look_every = 0.1;  // seconds between two looks at should_stop()

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void close_one(int& descriptor) {
  if (descriptor >= 0) ::close(descriptor);
  descriptor = -1;
}

/// Two connected ends, of which `theirs` becomes a standard descriptor of the child. Sockets, since a write to one that
/// nobody reads any more is an error and never a signal.
struct Ends {
  int ours = -1, theirs = -1;
  Ends() {
    int both[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) != 0)
      throw std::runtime_error(std::string("cannot make a socket: ") + std::strerror(errno));
    ours = both[0];
    theirs = both[1];
    ::fcntl(ours, F_SETFL, O_NONBLOCK);
  }
  Ends(const Ends&) = delete;
  Ends& operator=(const Ends&) = delete;
  ~Ends() {
    close_one(ours);
    close_one(theirs);
  }
  int take() { return std::exchange(ours, -1); }
};

pid_t spawn(const Settings& settings, const Ends& input, const Ends& output, const Ends& errors) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input.theirs, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output.theirs, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, errors.theirs, STDERR_FILENO);
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, defaults;
  sigemptyset(&none);
  sigfillset(&defaults);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<std::string> words = {settings.program};
  words.insert(words.end(), settings.arguments.begin(), settings.arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t child = -1;
  const int failure = ::posix_spawnp(&child, settings.program.c_str(), &actions, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failure != 0)
    throw std::runtime_error("cannot start '" + settings.program + "': " + std::strerror(failure) +
                             (failure == EACCES ? "; it must be executable" : ""));
  return child;
}

}  // namespace

LineProcess::LineProcess(Settings settings, ShouldStop should_stop)
    : settings_(std::move(settings)), should_stop_(should_stop) {
  Ends input, output, errors;
  child_ = spawn(settings_, input, output, errors);
  input_ = input.take();
  output_ = output.take();
  errors_ = errors.take();
}

LineProcess::~LineProcess() {
  end(1.0);
}

/// Waits for the program to end by itself for `grace` seconds after the end of its input; then kills its group.
void LineProcess::end(double grace) {
  close_one(input_);
  if (child_ > 0) {
    const auto start = Clock::now();
    siginfo_t info{};
    const auto ended = [&] {
      info.si_pid = 0;
      return ::waitid(P_PID, static_cast<id_t>(child_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
    };
    while (!ended() && seconds_since(start) < grace) ::poll(nullptr, 0, 2);
    ::kill(-child_, SIGKILL);  // before it is waited for: until then the group's number is nobody else's
    while (::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
    }
    child_ = -1;
  }
  close_one(output_);
  close_one(errors_);
}

void LineProcess::hear_errors() {
  std::array<char, 4096> buffer;
  for (ssize_t count = 1; errors_ >= 0 && count > 0;) {
    count = ::read(errors_, buffer.data(), buffer.size());
    if (count > 0) last_words_.append(buffer.data(), static_cast<std::size_t>(count));
    if (count == 0) close_one(errors_);
  }
  if (last_words_.size() > longest_last_words) last_words_.erase(0, last_words_.size() - longest_last_words);
}

std::string LineProcess::how_it_ended() {
  siginfo_t info{};
  // What has closed its output is about to end, and says more once it has.
  for (int i = 0; i < 50 && info.si_pid == 0; ++i) {
    if (::waitid(P_PID, static_cast<id_t>(child_), &info, WEXITED | WNOHANG | WNOWAIT) != 0) break;
    if (info.si_pid == 0) ::poll(nullptr, 0, 10);
  }
  if (info.si_pid == 0) return "closed its output";
  if (info.si_code == CLD_EXITED) return "ended with exit code " + std::to_string(info.si_status);
  return "was ended by signal " + std::to_string(info.si_status);
}

void LineProcess::give_up(const std::string& why) {
  hear_errors();
  end(0);
  std::string message = "'" + settings_.program + "' " + why;
  while (!last_words_.empty() && (last_words_.back() == '\n' || last_words_.back() == ' ')) last_words_.pop_back();
  if (!last_words_.empty()) message += "; the last that it wrote to standard error: " + last_words_;
  throw std::runtime_error(message);
}

/// Whether anything can be done within so many seconds; what stands on standard error is taken along.
bool LineProcess::wait(bool sending, double seconds) {
  std::array<pollfd, 3> ends = {pollfd{output_, POLLIN, 0}, pollfd{errors_, POLLIN, 0},
                                pollfd{sending ? input_ : -1, POLLOUT, 0}};
  const int found = ::poll(ends.data(), ends.size(), static_cast<int>(seconds * 1000));
  if (ends[1].revents != 0) hear_errors();
  return found > 0;
}

void LineProcess::write_some(std::string& rest) {
  const ssize_t count = ::send(input_, rest.data(), rest.size(), MSG_NOSIGNAL);
  if (count > 0) rest.erase(0, static_cast<std::size_t>(count));
  if (count < 0 && errno != EAGAIN && errno != EINTR) give_up(how_it_ended() + " before it had read its input");
}

/// False at the end of the program's output.
bool LineProcess::read_some() {
  std::array<char, 1 << 16> buffer;
  const ssize_t count = ::read(output_, buffer.data(), buffer.size());
  if (count > 0) received_.append(buffer.data(), static_cast<std::size_t>(count));
  return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

std::string LineProcess::communicate(std::string rest, bool answered, double seconds) {
  if (!alive()) throw std::runtime_error("'" + settings_.program + "' has ended");
  const auto start = Clock::now();
  std::size_t searched = 0;
  while (true) {
    if (!rest.empty()) write_some(rest);
    if (rest.empty() && !answered) return "";
    if (const std::size_t end = received_.find('\n', searched); answered && end != std::string::npos) {
      std::string answer = received_.substr(0, end);
      received_.erase(0, end + 1);
      return answer;
    }
    searched = received_.size();
    if (received_.size() > settings_.output_limit)
      give_up("wrote " + std::to_string(received_.size()) + " bytes without a line end; \"output_limit\" allows " +
              std::to_string(settings_.output_limit));
    if (should_stop_()) {
      end(0);
      throw StopRequested();
    }
    const double left = seconds - seconds_since(start);
    std::ostringstream limit;
    limit << settings_.timeout;
    if (left <= 0) give_up("did not answer within " + limit.str() + " s; raise \"timeout\" if it needs longer");
    if (!wait(!rest.empty(), std::min(left, look_every))) continue;
    if (!read_some()) give_up(how_it_ended() + (answered ? " instead of answering" : ""));
  }
}

std::string LineProcess::exchange(const std::string& line) {
  return communicate(line + "\n", true, settings_.timeout);
}

void LineProcess::send(const std::string& line) {
  communicate(line + "\n", false, settings_.timeout);
}

std::string LineProcess::next(double seconds) {
  return communicate("", true, seconds);
}

}  // namespace retort::environments
