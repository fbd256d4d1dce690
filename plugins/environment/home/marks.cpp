// Putting marks into texts and taking them out.
#include "marks.h"

namespace retort::home {

std::string marked(char mark, std::string_view words) {
  return mark + std::string(words) + kEnd;
}

std::string without_marks(std::string_view text) {
  std::string result;
  for (const char c : text)
    if (!is_mark(c)) result += c;
  return result;
}

std::vector<std::string> copied_spans(std::string_view text) {
  std::vector<std::string> spans;
  bool inside = false;
  for (const char c : text) {
    if (is_mark(c)) {
      inside = c == kCopied || c == kName;
      if (inside) spans.emplace_back();
    } else if (inside) {
      spans.back() += c;
    }
  }
  return spans;
}

}  // namespace retort::home
