// See json_integers.h.
#include "host/base/json_integers.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace retort::host {
namespace {

/// Behind the string or comment that begins at `at`, or `at`.
std::size_t skipped(std::string_view text, std::size_t at) {
  if (text[at] == '"') {
    std::size_t end = at + 1;
    while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2 : 1;
    return std::min(end + 1, text.size());
  }
  const std::string_view rest = text.substr(at);
  if (!rest.starts_with("//") && !rest.starts_with("/*")) return at;
  const bool line = rest[1] == '/';
  const std::size_t end = text.find(line ? "\n" : "*/", at + 2);
  return end == std::string_view::npos ? text.size() : end + (line ? 1 : 2);
}

bool fits(std::string_view number) {
  std::int64_t whole = 0;
  std::uint64_t positive = 0;
  const char *begin = number.data(), *end = begin + number.size();
  if (number.front() == '-') return std::from_chars(begin, end, whole).ec == std::errc();
  return std::from_chars(begin, end, positive).ec == std::errc();
}

}  // namespace

std::string_view integer_beyond_64_bits(std::string_view text) {
  constexpr std::size_t always_fits = 18;  // digits
  for (std::size_t at = 0; at < text.size();) {
    if (const std::size_t behind = skipped(text, at); behind != at) {
      at = behind;
      continue;
    }
    if (text[at] != '-' && (text[at] < '0' || text[at] > '9')) {
      ++at;
      continue;
    }
    const std::size_t end = std::min(text.find_first_not_of("-+.0123456789eE", at), text.size());
    const std::string_view number = text.substr(at, end - at);
    if (number.size() > always_fits && number.find_first_of(".eE") == std::string_view::npos && !fits(number))
      return number;
    at = end;
  }
  return {};
}

}  // namespace retort::host
