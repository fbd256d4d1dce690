// The alphabet's two tables, made once.
#include "text/byte_alphabet.h"

#include <array>

#include "host/base/utf8.h"

namespace retort::text {
namespace {

constexpr unsigned first_substitute = 0x100;
constexpr unsigned characters = 0x144;  // 256 + the 68 bytes that need a substitute

struct Alphabet {
  std::array<std::string, 256> character;
  std::array<int, characters> byte;  ///< by code point; -1: not in the alphabet

  Alphabet() {
    byte.fill(-1);
    unsigned substitute = first_substitute;
    for (unsigned value = 0; value < 256; ++value) {
      const bool printable = (value >= 0x21 && value <= 0x7E) || (value >= 0xA1 && value <= 0xAC) || value >= 0xAE;
      const unsigned code_point = printable ? value : substitute++;
      host::append_two_byte_character(character[value], code_point);
      byte[code_point] = static_cast<int>(value);
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet instance;
  return instance;
}

}  // namespace

const std::string& alphabet_character(unsigned char byte) {
  return alphabet().character[byte];
}

std::string to_alphabet(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += alphabet_character(static_cast<unsigned char>(byte));
  return text;
}

std::optional<std::string> from_alphabet(std::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    const std::size_t length = host::character_length(text);
    if (length != 1 && length != 2) return std::nullopt;
    unsigned code_point = static_cast<unsigned char>(text[0]);
    if (length == 2) code_point = ((code_point & 0x1FU) << 6) | (static_cast<unsigned char>(text[1]) & 0x3FU);
    if (code_point >= characters || alphabet().byte[code_point] < 0) return std::nullopt;
    bytes += static_cast<char>(alphabet().byte[code_point]);
    text.remove_prefix(length);
  }
  return bytes;
}

}  // namespace retort::text
