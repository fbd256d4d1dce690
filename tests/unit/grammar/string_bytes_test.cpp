// Strings byte by byte, well-formed UTF-8 and not, against a decoder of its own: states that are shared among bytes
// must not make bytes equal that are not.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <random>

#include "grammar/byte_automaton.h"
#include "grammar/program_builder.h"
#include "schema/schema_document.h"

namespace retort::grammar {
namespace {

using schema::OrderedJson;
using CodePoints = std::vector<std::uint32_t>;

/// Table 3-7 of the Unicode standard, row by row; nothing for what it does not list.
std::optional<CodePoints> decoded(const std::string& text) {
  CodePoints points;
  for (std::size_t i = 0; i < text.size();) {
    const auto at = [&](std::size_t k) -> std::uint32_t {
      return i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0;
    };
    const auto within = [&](std::size_t k, std::uint32_t low, std::uint32_t high) {
      return at(k) >= low && at(k) <= high;
    };
    const std::uint32_t a = at(0);
    std::size_t length = 0;
    if (a <= 0x7F) length = 1;
    if (a >= 0xC2 && a <= 0xDF && within(1, 0x80, 0xBF)) length = 2;
    const bool three = a == 0xE0   ? within(1, 0xA0, 0xBF)
                       : a == 0xED ? within(1, 0x80, 0x9F)
                                   : a > 0xE0 && a <= 0xEF && within(1, 0x80, 0xBF);
    if (three && within(2, 0x80, 0xBF)) length = 3;
    const bool four = a == 0xF0   ? within(1, 0x90, 0xBF)
                      : a == 0xF4 ? within(1, 0x80, 0x8F)
                                  : a > 0xF0 && a <= 0xF3 && within(1, 0x80, 0xBF);
    if (four && within(2, 0x80, 0xBF) && within(3, 0x80, 0xBF)) length = 4;
    if (length == 0) return std::nullopt;
    std::uint32_t point = length == 1 ? a : a & (0xFFU >> (length + 1));
    for (std::size_t k = 1; k < length; ++k) point = point << 6U | (at(k) & 0x3FU);
    points.push_back(point);
    i += length;
  }
  return points;
}

void append(std::string& text, std::uint32_t point) {
  const auto byte = [&](std::uint32_t value) { text += static_cast<char>(value); };
  if (point < 0x80) return byte(point);
  if (point < 0x800) {
    byte(0xC0U | point >> 6U);
  } else if (point < 0x10000) {
    byte(0xE0U | point >> 12U);
    byte(0x80U | (point >> 6U & 0x3FU));
  } else {
    byte(0xF0U | point >> 18U);
    byte(0x80U | (point >> 12U & 0x3FU));
    byte(0x80U | (point >> 6U & 0x3FU));
  }
  byte(0x80U | (point & 0x3FU));
}

/// Bytes where rows of the table begin and end, or whole characters near the bounds of what patterns below name.
std::string drawn(std::mt19937& random) {
  static const std::string bytes =
      "ab z\xC0\xC1\xC2\xC3\xA9\xDF\x80\x8F\x90\x9F\xA0\xBF\xE0\xE1\xED\xEF\xF0\xF1\xF3\xF4\xF5\xFF";
  static const std::vector<std::uint32_t> points = {'a',    'b',     'z',     0xDE,    0xDF,    0xE9,
                                                    0xFF,   0x100,   0x7FF,   0x800,   0xD7FF,  0xE000,
                                                    0xFFFD, 0x10000, 0x1F5FF, 0x1F600, 0x1F601, 0x10FFFF};
  std::string text;
  for (std::size_t left = random() % 6; left > 0; --left)
    if (random() % 4 == 0)
      text += bytes[random() % bytes.size()];
    else
      append(text, points[random() % points.size()]);
  return text;
}

struct StringCase {
  const char* schema;
  std::string before, after;
  std::function<bool(const CodePoints&)> takes;
};

TEST(StringBytes, AreTakenAsADecoderReadsThem) {
  const auto none = [](const CodePoints& text, const std::function<bool(std::uint32_t)>& bad) {
    return std::none_of(text.begin(), text.end(), bad);
  };
  const StringCase cases[] = {
      {R"({"type":"string"})", "\"", "\"", [](const CodePoints&) { return true; }},
      {R"({"type":"string","minLength":1,"maxLength":3})", "\"", "\"",
       [](const CodePoints& text) { return !text.empty() && text.size() <= 3; }},
      {R"({"type":"string","pattern":"^[^b-yß-ÿ😀]*$"})", "\"", "\"",
       [&](const CodePoints& text) {
         return none(
             text, [](std::uint32_t c) { return (c >= 'b' && c <= 'y') || (c >= 0xDF && c <= 0xFF) || c == 0x1F600; });
       }},
      {R"({"type":"string","pattern":"[é-ÿ]","maxLength":2})", "\"", "\"",
       [&](const CodePoints& text) {
         return text.size() <= 2 && !none(text, [](std::uint32_t c) { return c >= 0xE9 && c <= 0xFF; });
       }},
      {R"({"type":"object","properties":{"é":{"type":"string"}},"additionalProperties":{"type":"integer"}})", "{\"",
       "\":1}", [](const CodePoints& text) { return text != CodePoints{0xE9}; }},
      {R"({"anyOf":[{"const":"aééé"},{"type":"string","maxLength":2}]})", "\"", "\"",
       [](const CodePoints& text) { return text.size() <= 2 || text == CodePoints{'a', 0xE9, 0xE9, 0xE9}; }}};
  std::mt19937 random(3);
  for (const StringCase& one : cases) {
    const auto program = schema_program(schema_rules(schema::SchemaDocument(OrderedJson::parse(one.schema))),
                                        {task::JsonSpacing::compact, task::KeyOrder::any});
    ByteAutomaton automaton(program, 64);
    int taken = 0, refused = 0;
    for (int round = 0; round < 20'000; ++round) {
      const std::string text = drawn(random);
      StateId state = automaton.start();
      for (const char c : one.before + text + one.after)
        if (state != no_state) state = automaton.step(state, static_cast<std::uint8_t>(c));
      const bool accepted = state != no_state && automaton.accepts(state);
      const auto points = decoded(text);
      ASSERT_EQ(accepted, points && one.takes(*points))
          << one.schema << " " << OrderedJson(text).dump(-1, ' ', true, OrderedJson::error_handler_t::replace);
      (accepted ? taken : refused)++;
    }
    EXPECT_GT(taken, 500) << one.schema;
    EXPECT_GT(refused, 500) << one.schema;
  }
}

}  // namespace
}  // namespace retort::grammar
