#include "host/base/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

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

void Terminal::line(std::string_view text) {
  const std::scoped_lock lock(mutex_);
  erase_bar();
  std::fprintf(stream_, "%.*s\n%s", static_cast<int>(text.size()), text.data(), bar_.c_str());
  std::fflush(stream_);
}

void Terminal::bar(std::string_view text) {
  if (!interactive_) return;
  const std::scoped_lock lock(mutex_);
  erase_bar();
  bar_ = cut(text, width(stream_));
  std::fputs(bar_.c_str(), stream_);
  std::fflush(stream_);
}

Terminal& standard_error() {
  static Terminal terminal(stderr);
  return terminal;
}

}  // namespace retort::host
