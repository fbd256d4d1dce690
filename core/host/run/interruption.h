// Ctrl-C and termination as a request to stop at the next safe point.
#pragma once

namespace retort::host {

/// From now on SIGINT, SIGTERM and SIGHUP (unless the process was started without it, as by nohup) make should_stop()
/// answer 1; the second of the same kind ends the process at once. Also makes a write beyond the file size limit fail
/// with an error instead of a signal, and gives standard descriptors that are closed to /dev/null: what is opened later
/// must not get their numbers, and with those all that is printed.
void install_signal_handlers();

/// Installs them again where a library took them: UCX, which comes with some builds of LibTorch, takes SIGHUP when it
/// is loaded. Does nothing before install_signal_handlers(), nor once the user asked to stop.
void keep_signal_handlers();

/// From now on should_stop() answers 1 when nobody reads standard error any more, as after SIGHUP; a broken pipe is an
/// error of its write and no signal. For work that would otherwise go on unseen, or die without its last checkpoint.
void stop_when_unseen();

}  // namespace retort::host
