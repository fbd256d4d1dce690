#include "host/base/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "host/base/printable.h"

namespace retort::host {
namespace {

/// Columns, so that a bar never wraps (a wrapped bar cannot be redrawn in place).
std::size_t width(std::FILE* stream) {
  winsize size{};
  if (::ioctl(::fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 1) return size.ws_col - 1u;
  return 79;
}

/// The first `columns` code points; enough for text without wide characters.
std::string_view cut(std::string_view text, std::size_t columns) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80 && ++count > columns) return text.substr(0, i);
  return text;
}

}  // namespace

Terminal::Terminal(std::FILE* stream) : stream_(stream), interactive_(false) {
  const char* term = std::getenv("TERM");
  interactive_ = ::isatty(::fileno(stream)) == 1 && (term == nullptr || std::string_view(term) != "dumb");
}

void Terminal::erase_bar() {
  if (!bar_.empty()) std::fputs("\r\033[K", stream_);
}

void Terminal::when_closed(void (*action)()) {
  const std::scoped_lock lock(mutex_);
  closed_ = action;
}

void Terminal::flush() {
  if (std::fflush(stream_) == 0 && std::ferror(stream_) == 0) return;  // standard error is not buffered
  const bool gone = errno == EPIPE || errno == EIO;  // the reader of a pipe went, or the terminal hung up
  std::clearerr(stream_);
  if (gone && closed_ != nullptr) std::exchange(closed_, nullptr)();
}

void Terminal::line(std::string_view text) {
  const std::string shown = printable(text);
  const std::scoped_lock lock(mutex_);
  erase_bar();
  std::fprintf(stream_, "%s\n%s", shown.c_str(), bar_.c_str());
  flush();
}

void Terminal::bar(std::string_view text) {
  if (!interactive_) return;
  std::string shown = printable(text);
  std::replace(shown.begin(), shown.end(), '\n', ' ');
  const std::scoped_lock lock(mutex_);
  erase_bar();
  bar_ = cut(shown, width(stream_));
  std::fputs(bar_.c_str(), stream_);
  flush();
}

Terminal& standard_error() {
  static Terminal terminal(stderr);
  return terminal;
}

}  // namespace retort::host
