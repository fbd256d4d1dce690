// Where people look while a run goes on: lines, and below them at most one bar that redraws itself. One object per
// process writes to stderr, so that log lines and the bar do not tear each other apart.
#pragma once

#include <cstdio>
#include <mutex>
#include <string>
#include <string_view>

namespace retort::host {

/// Control characters of a text are shown, not obeyed. [any-thread]
class Terminal {
 public:
  /// `stream` stays open as long as the object lives.
  explicit Terminal(std::FILE* stream);
  bool interactive() const { return interactive_; }
  /// Prints a whole line, above the bar if there is one. `text` has no newline at its end.
  void line(std::string_view text);
  /// `action` is called, once, when nobody reads the stream any more.
  void when_closed(void (*action)());
  /// Draws the bar anew, cut to the terminal's width; "" takes it away. Does nothing when not interactive.
  void bar(std::string_view text);

 private:
  void erase_bar();
  void flush();
  std::FILE* stream_;
  bool interactive_;
  std::mutex mutex_;
  std::string bar_;
  void (*closed_)() = nullptr;
};

/// The process's terminal on stderr.
Terminal& standard_error();

}  // namespace retort::host
