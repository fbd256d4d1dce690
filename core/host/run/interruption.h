// Ctrl-C and termination as a request to stop at the next safe point.
#pragma once

namespace retort::host {

/// From now on SIGINT and SIGTERM make should_stop() answer 1; the second of the same kind ends the process at once.
/// Also makes a write beyond the file size limit fail with an error instead of a signal.
void install_signal_handlers();

}  // namespace retort::host
