// Well-formed byte sequences: table 3-7 of the Unicode standard.
#include "host/base/utf8.h"

namespace retort::host {
namespace {

struct Sequence {
  std::size_t valid = 0;   ///< bytes that fit the table, from the first on
  std::size_t wanted = 0;  ///< bytes of the whole character; 0: the first byte begins none
};

Sequence sequence_at(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {1, 1};
  if (lead < 0xC2 || lead > 0xF4) return {0, 0};
  const std::size_t wanted = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte's range excludes overlong forms, surrogates and what lies above U+10FFFF.
  const unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (text.size() < 2 || byte(1) < low || byte(1) > high) return {1, wanted};
  std::size_t valid = 2;
  while (valid < wanted && valid < text.size() && (byte(valid) & 0xC0U) == 0x80U) ++valid;
  return {valid, wanted};
}

}  // namespace

std::size_t character_length(std::string_view text) {
  if (text.empty()) return 0;
  const Sequence sequence = sequence_at(text);
  return sequence.wanted > 0 && sequence.valid == sequence.wanted ? sequence.wanted : 0;
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const Sequence sequence = sequence_at(text);
    const std::size_t length = sequence.valid > 0 ? sequence.valid : 1;
    if (sequence.wanted > 0 && sequence.valid == sequence.wanted)
      result += text.substr(0, length);
    else
      result += "\xEF\xBF\xBD";
    text.remove_prefix(length);
  }
  return result;
}

std::size_t incomplete_end(std::string_view text) {
  for (std::size_t length = 1; length <= 3 && length <= text.size(); ++length) {
    const std::string_view end = text.substr(text.size() - length);
    if ((static_cast<unsigned char>(end[0]) & 0xC0U) == 0x80U) continue;  // a continuation: its first byte is earlier
    const Sequence sequence = sequence_at(end);
    return sequence.valid == length && sequence.valid < sequence.wanted ? length : 0;
  }
  return 0;
}

void append_two_byte_character(std::string& text, unsigned code_point) {
  if (code_point < 0x80) {
    text += static_cast<char>(code_point);
    return;
  }
  text += static_cast<char>(0xC0U | (code_point >> 6));
  text += static_cast<char>(0x80U | (code_point & 0x3FU));
}

std::string utf8_problem(std::string_view text) {
  const std::size_t whole = text.size();
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t length = character_length(rest);
    if (length == 0) break;
    rest.remove_prefix(length);
  }
  if (rest.empty()) return "";
  constexpr std::string_view digits = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(rest[0]);
  const bool utf16 = text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF") ||
                     text.substr(0, 64).find('\0') != std::string_view::npos;
  return std::string("expected UTF-8, found the byte 0x") + digits[byte / 16] + digits[byte % 16] + " at byte " +
         std::to_string(whole - rest.size() + 1) +
         (utf16 ? "; it looks like UTF-16: convert it (iconv -f UTF-16 -t UTF-8)"
                : "; if it is Latin-1, convert it (iconv -f LATIN1 -t UTF-8)");
}

}  // namespace retort::host
