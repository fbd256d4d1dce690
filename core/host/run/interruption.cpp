#include "host/run/interruption.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>

#include "host/base/terminal.h"
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

bool installed = false, with_hang_up = false;

void take_signals() {
  struct sigaction action{};
  action.sa_handler = on_signal;
  action.sa_flags = static_cast<int>(SA_RESTART | SA_RESETHAND);
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  if (with_hang_up) ::sigaction(SIGHUP, &action, nullptr);
}

void open_standard_descriptors() {
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor)
    if (::fcntl(descriptor, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) < 0) return;  // takes the lowest free number
}

}  // namespace

void install_signal_handlers() {
  open_standard_descriptors();
  struct sigaction before{};
  with_hang_up = ::sigaction(SIGHUP, nullptr, &before) == 0 && before.sa_handler != SIG_IGN;
  installed = true;
  take_signals();
  ::signal(SIGXFSZ, SIG_IGN);
}

void keep_signal_handlers() {
  if (installed && !stop_requested()) take_signals();
}

void stop_when_unseen() {
  ::signal(SIGPIPE, SIG_IGN);
  standard_error().when_closed(request_stop);
}

}  // namespace retort::host
