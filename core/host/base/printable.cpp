#include "host/base/printable.h"

#include "host/base/utf8.h"

namespace retort::host {

std::string printable(std::string_view text) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string result;
  const std::string valid = replace_invalid_utf8(text);
  for (std::size_t i = 0; i < valid.size(); ++i) {
    const auto byte = static_cast<unsigned char>(valid[i]);
    const bool c1 = byte == 0xC2 && static_cast<unsigned char>(valid[i + 1]) < 0xA0;  // U+0080 to U+009F
    const unsigned char code = c1 ? static_cast<unsigned char>(valid[++i]) : byte;
    if (c1 || byte == 0x7F || (byte < 0x20 && byte != '\n' && byte != '\t'))
      result += {'\\', 'x', digits[code >> 4], digits[code & 15]};
    else
      result += valid[i];
  }
  return result;
}

}  // namespace retort::host
