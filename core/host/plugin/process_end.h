// Ends of the process that the host did not ask for: a plugin that calls exit() in the middle of a call, and one whose
// shutdown() or exit handlers crash or hang after everything is done. Neither may pass for what it is not. What ends
// the process by a system call of its own is beyond this.
#pragma once

#include <functional>
#include <string>

namespace retort::host {

/// While it lives, code of a plugin runs: should the process exit now, with whatever code, `record` is called with a
/// message that names `who`, the message is printed, and the process ends with code 1 and without further exit
/// handlers. Watches nest; the innermost gives the name, every one that has a `record` is told. [any-thread]
class UnaskedExit {
 public:
  explicit UnaskedExit(std::string who, std::function<void(const std::string& message)> record = {});
  ~UnaskedExit();
  UnaskedExit(const UnaskedExit&) = delete;
  UnaskedExit& operator=(const UnaskedExit&) = delete;
};

/// What exit() does where a watch lives; returns where there is none. For an _exit() that stands before libc's.
void refuse_unasked_exit(int code);

/// From here on nothing is left to do but what exit handlers do. Whatever they do, the process ends with `code`: after
/// a crash, or five seconds of one handler, with a warning that names it.
void begin_process_end(int code);

/// Names what runs now, once the process's end has begun; begins its five seconds.
class ExitStep {
 public:
  explicit ExitStep(const std::string& what);
  ~ExitStep();
  ExitStep(const ExitStep&) = delete;
  ExitStep& operator=(const ExitStep&) = delete;
};

}  // namespace retort::host
