#include "host/base/hexadecimal.h"

#include <stdexcept>

namespace retort::host {
namespace {

constexpr std::string_view hexadecimal_digits = "0123456789abcdef";

}  // namespace

std::string to_hexadecimal(std::string_view bytes) {
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += hexadecimal_digits[byte >> 4U];
    text += hexadecimal_digits[byte & 15U];
  }
  return text;
}

std::string from_hexadecimal(std::string_view digits) {
  std::string bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    const std::size_t high = hexadecimal_digits.find(digits[i]);
    const std::size_t low = i + 1 < digits.size() ? hexadecimal_digits.find(digits[i + 1]) : std::string_view::npos;
    if (high == std::string_view::npos || low == std::string_view::npos)
      throw std::invalid_argument("expected pairs of lower-case hexadecimal digits, found \"" + std::string(digits) +
                                  "\"");
    bytes += static_cast<char>(16 * high + low);
  }
  return bytes;
}

}  // namespace retort::host
