// See text_reader.h. `b` holds what was begun: its kind in the upper four bits, then numbers by kind.
//   character  bytes to come, bytes of it, bits so far       (RFC 3629: no overlong forms, no surrogates)
//   escape     behind the backslash
//   hex        digits so far, their value                    (\uXXXX; the same with the high half of a pair: low_hex)
//   high       behind a high surrogate: wants \ ; high_u: wants u
// Characters that are written without an escape must not be written as \u: one key, one spelling.
// A text is a CountedText or SaidParts: take(), any_of(), representative() and may_end() tell them apart.
#include "grammar/text_reader.h"

#include <algorithm>

namespace retort::grammar {
namespace {

enum Begun : std::uint32_t { nothing = 0, character = 1, escape = 2, hex = 3, high = 4, high_u = 5, low_hex = 6 };

constexpr std::uint32_t no_limit = UINT32_MAX;

std::uint32_t pack(std::uint32_t kind, std::uint32_t first, std::uint32_t second, std::uint32_t value) {
  return kind << 28U | first << 26U | second << 24U | value;
}

/// The fields after one more character, if its state leaves room for an end.
bool consume(const CountedText& text, std::int32_t target, Configuration& at) {
  if (target == CharacterAutomaton::dead || at.left == 0) return false;
  const auto state = static_cast<std::size_t>(target);
  const std::uint32_t needed = at.needed == 0 ? 0 : at.needed - 1;
  const std::uint32_t left = at.left == no_limit ? no_limit : at.left - 1;
  const CharacterAutomaton& automaton = text.automaton;
  if (left != no_limit && automaton.least_left[state] > std::int64_t{left}) return false;
  if (automaton.most_left[state] != schema::unlimited && automaton.most_left[state] < std::int64_t{needed})
    return false;
  at.a = target;
  at.b = 0;
  at.needed = needed;
  at.left = left;
  return true;
}

/// Whether some character of [first, last] may come.
bool any_of(const CountedText& text, const Configuration& at, std::uint32_t first, std::uint32_t last) {
  if (first > last) return false;
  const CharacterAutomaton& automaton = text.automaton;
  const auto [begin, end] = automaton.intervals(first, last);
  for (std::size_t i = begin; i < end; ++i) {
    if (automaton.class_of[i] == CharacterAutomaton::dead) continue;
    Configuration next = at;
    if (consume(text, automaton.next[static_cast<std::size_t>(at.a * automaton.classes + automaton.class_of[i])], next))
      return true;
  }
  return false;
}

/// The first bits that stand for `bits`: where all characters that begin so are of one interval, what it matters is
/// only how many bytes are to come, and such characters share their states.
std::uint32_t representative(const CountedText& text, std::uint32_t bits, std::uint32_t rest, std::uint32_t least) {
  const std::uint32_t size = 1U << (6 * rest), first = bits * size, last = first + size - 1;
  if (first < least || last > 0x10FFFF) return bits;
  const auto [begin, end] = text.automaton.intervals(first, last);
  if (end != begin + 1) return bits;
  return (std::max(text.automaton.starts[begin], least) + size - 1) / size;
}

TextStep take(const CountedText& text, std::uint32_t code_point, Configuration& at) {
  return consume(text, text.automaton.step(at.a, code_point), at) ? TextStep::inside : TextStep::dead;
}

bool any_of(const SaidParts& text, const Configuration& at, std::uint32_t first, std::uint32_t last) {
  return at.left > 0 && text.any_of(at.a, first, last, at.needed, at.left);
}

std::uint32_t representative(const SaidParts&, std::uint32_t bits, std::uint32_t, std::uint32_t) {
  return bits;
}

TextStep take(SaidParts& text, std::uint32_t code_point, Configuration& at) {
  if (at.left == 0) return TextStep::dead;
  const std::int32_t target = text.step(at.a, code_point);
  const std::uint32_t needed = at.needed == 0 ? 0 : at.needed - 1;
  const std::uint32_t left = at.left == no_limit ? no_limit : at.left - 1;
  if (target == SaidParts::dead || !text.can_end(target, needed, left)) return TextStep::dead;
  at.a = target;
  at.b = 0;
  at.needed = needed;
  at.left = left;
  return TextStep::inside;
}

template <class Text>
TextStep read_lead(Text& text, std::uint32_t byte, Configuration& at) {
  const std::uint32_t length = byte >= 0xC2 && byte <= 0xDF   ? 2
                               : byte >= 0xE0 && byte <= 0xEF ? 3
                               : byte >= 0xF0 && byte <= 0xF4 ? 4
                                                              : 0;
  if (length == 0) return TextStep::dead;
  const std::uint32_t bits = byte & (0xFFU >> (length + 1)), rest = length - 1;
  const std::uint32_t least = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000;
  const std::uint32_t first = std::max(bits << (6 * rest), least);
  const std::uint32_t last = std::min(((bits + 1) << (6 * rest)) - 1, 0x10FFFFU);
  if (!any_of(text, at, first, last)) return TextStep::dead;
  at.b = pack(character, rest, length - 2, representative(text, bits, rest, least));
  return TextStep::inside;
}

template <class Text>
TextStep read_continuation(Text& text, std::uint32_t byte, Configuration& at) {
  if ((byte & 0xC0U) != 0x80U) return TextStep::dead;
  const std::uint32_t rest = (at.b >> 26U & 3U) - 1, length = (at.b >> 24U & 3U) + 2;
  const std::uint32_t bits = (at.b & 0xFFFFFFU) << 6U | (byte & 0x3FU);
  const std::uint32_t least = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000;
  if (rest == 0) return bits < least ? TextStep::dead : take(text, bits, at);
  const std::uint32_t first = std::max(bits << (6 * rest), least);
  const std::uint32_t last = std::min(((bits + 1) << (6 * rest)) - 1, 0x10FFFFU);
  if (!any_of(text, at, first, last)) return TextStep::dead;
  at.b = pack(character, rest, length - 2, representative(text, bits, rest, least));
  return TextStep::inside;
}

/// Whether \u may write a character of [first, last] of the basic plane, or begin one beyond.
template <class Text>
bool any_escaped(Text& text, const Configuration& at, std::uint32_t first, std::uint32_t last) {
  if (any_of(text, at, first, std::min(last, 0x1FU)) || any_of(text, at, std::max(first, 0x7FU), last)) return true;
  const std::uint32_t high_first = std::max(first, 0xD800U), high_last = std::min(last, 0xDBFFU);
  return high_first <= high_last &&
         any_of(text, at, 0x10000 + ((high_first - 0xD800) << 10U), 0x10000 + ((high_last - 0xD800) << 10U) + 0x3FF);
}

int digit_of(std::uint8_t byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  const int letter = byte | 0x20;
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

template <class Text>
TextStep read_hex(Text& text, std::uint8_t byte, Configuration& at) {
  const int digit = digit_of(byte);
  if (digit < 0) return TextStep::dead;
  const std::uint32_t count = (at.b >> 26U & 3U) + 1;
  const std::uint32_t value = (at.b & 0xFFFFU) << 4U | static_cast<std::uint32_t>(digit);
  if (count < 4) {
    const std::uint32_t first = value << (4 * (4 - count)), last = first + (1U << (4 * (4 - count))) - 1;
    if (!any_escaped(text, at, first, last)) return TextStep::dead;
    at.b = pack(hex, count, 0, value);
    return TextStep::inside;
  }
  if (value >= 0xD800 && value <= 0xDBFF) {
    if (!any_escaped(text, at, value, value)) return TextStep::dead;
    at.b = pack(high, 0, 0, value - 0xD800);
    return TextStep::inside;
  }
  return value >= 0x20 && value < 0x7F ? TextStep::dead : take(text, value, at);
}

template <class Text>
TextStep read_low_hex(Text& text, std::uint8_t byte, Configuration& at) {
  const int digit = digit_of(byte);
  if (digit < 0) return TextStep::dead;
  const std::uint32_t count = (at.b >> 26U & 3U) + 1, upper = at.b >> 12U & 0x3FFU;
  const std::uint32_t value = (at.b & 0xFFFU) << 4U | static_cast<std::uint32_t>(digit);
  const std::uint32_t rest = 4 * (4 - count);
  const std::uint32_t first = std::max(value << rest, 0xDC00U),
                      last = std::min((value << rest) + (1U << rest) - 1, 0xDFFFU);
  const std::uint32_t base = 0x10000 + (upper << 10U);
  if (first > last || !any_of(text, at, base + (first - 0xDC00), base + (last - 0xDC00))) return TextStep::dead;
  if (count == 4) return take(text, base + (value - 0xDC00), at);
  at.b = pack(low_hex, count, 0, upper << 12U | value);
  return TextStep::inside;
}

template <class Text>
TextStep read_escape(Text& text, std::uint8_t byte, Configuration& at) {
  switch (byte) {
    case '"':
    case '\\':
    case '/':
      return take(text, byte, at);
    case 'b':
      return take(text, '\b', at);
    case 'f':
      return take(text, '\f', at);
    case 'n':
      return take(text, '\n', at);
    case 'r':
      return take(text, '\r', at);
    case 't':
      return take(text, '\t', at);
    case 'u':
      if (!any_escaped(text, at, 0, 0xFFFF)) return TextStep::dead;
      at.b = pack(hex, 0, 0, 0);
      return TextStep::inside;
    default:
      return TextStep::dead;
  }
}

template <class Text>
bool any_escape(Text& text, const Configuration& at) {
  return any_escaped(text, at, 0, 0xFFFF) || any_of(text, at, '"', '"') || any_of(text, at, '\\', '\\') ||
         any_of(text, at, '/', '/');
}

}  // namespace

template <class Text>
TextStep read_text(Text& text, Writing writing, std::uint8_t byte, Configuration& at) {
  switch (at.b >> 28U) {
    case character:
      return read_continuation(text, byte, at);
    case escape:
      return read_escape(text, byte, at);
    case hex:
      return read_hex(text, byte, at);
    case low_hex:
      return read_low_hex(text, byte, at);
    case high:
      at.b = pack(high_u, 0, 0, at.b & 0xFFFFU);
      return byte == '\\' ? TextStep::inside : TextStep::dead;
    case high_u:
      at.b = pack(low_hex, 0, 0, (at.b & 0x3FFU) << 12U);
      return byte == 'u' ? TextStep::inside : TextStep::dead;
    default:
      break;
  }
  if (byte >= 0x80) return read_lead(text, byte, at);
  if (writing == Writing::quoted) {
    if (byte == '"') return may_end(text, at) ? TextStep::ended : TextStep::dead;
    if (byte < 0x20) return TextStep::dead;
    if (byte == '\\') {
      if (!any_escape(text, at)) return TextStep::dead;
      at.b = pack(escape, 0, 0, 0);
      return TextStep::inside;
    }
  }
  return take(text, byte, at);
}

template TextStep read_text(const CountedText&, Writing, std::uint8_t, Configuration&);
template TextStep read_text(SaidParts&, Writing, std::uint8_t, Configuration&);

bool read_character(const CountedText& text, std::int32_t character_class, Configuration& at) {
  if (character_class == CharacterAutomaton::dead) return false;
  const CharacterAutomaton& automaton = text.automaton;
  return consume(text, automaton.next[static_cast<std::size_t>(at.a * automaton.classes + character_class)], at);
}

bool inside_character(const Configuration& at) {
  return at.b >> 28U == character;
}

bool alike_continuations(const CountedText& text, const Configuration& at) {
  const std::uint32_t rest = at.b >> 26U & 3U, length = (at.b >> 24U & 3U) + 2, bits = at.b & 0xFFFFFFU;
  const std::uint32_t least = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000;
  const std::uint32_t first = bits << (6 * rest), last = first + (1U << (6 * rest)) - 1;
  if (first < least || last > 0x10FFFF) return false;
  const auto [begin, end] = text.automaton.intervals(first, last);
  return end == begin + 1;
}

bool may_end(const CountedText& text, const Configuration& at) {
  return at.b == 0 && at.needed == 0 && text.automaton.accepts[static_cast<std::size_t>(at.a)] != 0;
}

bool may_end(const SaidParts& text, const Configuration& at) {
  return at.b == 0 && at.needed == 0 && text.accepts(at.a);
}

void begin_text(const CountedText& text, Configuration& at) {
  at.a = 0;
  at.b = 0;
  at.needed = static_cast<std::uint32_t>(std::min<std::int64_t>(text.length.least, INT32_MAX));
  at.left = text.length.most == schema::unlimited || text.length.most > INT32_MAX
                ? no_limit
                : static_cast<std::uint32_t>(text.length.most);
}

}  // namespace retort::grammar
