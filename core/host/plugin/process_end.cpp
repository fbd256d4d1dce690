#include "host/plugin/process_end.h"

#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "host/base/log.h"

namespace retort::host {
namespace {

constexpr unsigned seconds_for_a_step = 5;

struct Watch {
  const UnaskedExit* owner;
  std::string who;
  std::function<void(const std::string&)> record;
};

struct Watches {
  std::recursive_mutex mutex;  ///< exit() may come while it is held
  std::vector<Watch> open;
  pid_t process = 0;  ///< a child that a plugin forked may exit as it likes
};

/// Never destroyed: exit handlers look.
Watches& watches() {
  static auto* const all = new Watches;
  return *all;
}

void at_exit() {
  refuse_unasked_exit(-1);
}

std::array<char, 512> step_name{};
volatile std::sig_atomic_t end_code = -1;  ///< -1: the end has not begun

void write_text(std::string_view text) {
  if (::write(STDERR_FILENO, text.data(), text.size()) < 0) return;
}

void on_bad_end(int signal) {
  write_text("warning: ");
  write_text({step_name.data(), std::strlen(step_name.data())});
  write_text(signal == SIGALRM ? " did not return within 5 s" : " crashed");
  write_text(" at the end of the process; what was written before is whole\n");
  ::_exit(end_code);
}

void name_step(const std::string& what) {
  std::snprintf(step_name.data(), step_name.size(), "%s", what.c_str());
  ::alarm(seconds_for_a_step);
}

}  // namespace

UnaskedExit::UnaskedExit(std::string who, std::function<void(const std::string&)> record) {
  Watches& all = watches();
  const std::lock_guard lock(all.mutex);
  all.process = ::getpid();
  // Exit handlers run last first, so each outermost watch registers its own: before those of libraries loaded earlier.
  if (all.open.empty()) {
    std::atexit(at_exit);
    std::at_quick_exit(at_exit);
  }
  all.open.push_back({this, std::move(who), std::move(record)});
}

UnaskedExit::~UnaskedExit() {
  Watches& all = watches();
  const std::lock_guard lock(all.mutex);
  std::erase_if(all.open, [this](const Watch& watch) { return watch.owner == this; });
}

void refuse_unasked_exit(int code) {
  Watches& all = watches();
  const std::lock_guard lock(all.mutex);
  if (all.open.empty() || all.process != ::getpid()) return;
  const std::vector<Watch> open = std::exchange(all.open, {});
  const std::string message = open.back().who + " ended the process" +
                              (code < 0 ? "" : " with code " + std::to_string(code)) +
                              "; a component returns errors and never exits: this is a fault of the component";
  for (const Watch& watch : open) {
    try {
      if (watch.record) watch.record(message);
    } catch (const std::exception& error) {
      log_warning(error.what());
    }
  }
  log_error(message);
  std::fflush(nullptr);
  ::_exit(1);
}

void begin_process_end(int code) {
  end_code = code;
  struct sigaction action{};
  action.sa_handler = on_bad_end;
  ::sigemptyset(&action.sa_mask);
  for (const int signal : {SIGALRM, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) ::sigaction(signal, &action, nullptr);
  name_step("an exit handler of a library");
}

ExitStep::ExitStep(const std::string& what) {
  if (end_code >= 0) name_step(what);
}

ExitStep::~ExitStep() {
  if (end_code >= 0) name_step("an exit handler of a library");
}

}  // namespace retort::host
