#include "host/run/interruption.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>

#include "host/plugin/plugin_error.h"

namespace retort::host {
namespace {

void on_signal(int) {
  const int code = errno;
  request_stop();
  static constexpr char text[] = "\nstopping at the next safe point; once more to stop at once\n";
  if (::write(STDERR_FILENO, text, sizeof text - 1) < 0) errno = code;  // nothing to be done about a closed stderr
  errno = code;
}

}  // namespace

void install_signal_handlers() {
  struct sigaction action{};
  action.sa_handler = on_signal;
  action.sa_flags = static_cast<int>(SA_RESTART | SA_RESETHAND);
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  ::signal(SIGXFSZ, SIG_IGN);
}

}  // namespace retort::host
