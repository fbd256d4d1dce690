// Automata of numbers, patterns and lengths against what they stand for.
#include <gtest/gtest.h>

#include <random>

#include "grammar/character_automaton.h"
#include "grammar/limits.h"
#include "grammar/number_automaton.h"
#include "schema/code_points.h"
#include "schema/pattern.h"

namespace retort::grammar {
namespace {

using schema::Json;

TEST(NumberAutomaton, IntegersWithinBounds) {
  std::mt19937 random(7);
  for (int round = 0; round < 60; ++round) {
    std::int64_t low = static_cast<std::int64_t>(random() % 3000) - 1500,
                 high = low + static_cast<std::int64_t>(random() % 1500);
    NumberBounds bounds;
    if (round % 4 != 1) bounds.least = low;
    if (round % 4 != 2) bounds.most = high;
    bounds.least_exclusive = round % 3 == 0;
    bounds.most_exclusive = round % 5 == 0;
    if (round % 7 == 0) bounds.multiples_of = {Json(3)};
    const CharacterAutomaton automaton = integer_texts(bounds);
    for (std::int64_t value = -3100; value <= 3100; ++value) {
      bool inside = !bounds.least || (bounds.least_exclusive ? value > low : value >= low);
      inside = inside && (!bounds.most || (bounds.most_exclusive ? value < high : value <= high));
      if (!bounds.multiples_of.empty()) inside = inside && value % 3 == 0;
      ASSERT_EQ(automaton.contains(std::to_string(value)), inside)
          << value << " in " << low << ".." << high << " round " << round;
    }
  }
  const CharacterAutomaton any = integer_texts({});
  for (const char* text : {"9223372036854775807", "-9223372036854775808", "0", "-1"})
    EXPECT_TRUE(any.contains(text)) << text;
  for (const char* text :
       {"9223372036854775808", "-9223372036854775809", "-0", "00", "01", "1.0", "", "-", "+1", "1e2"})
    EXPECT_FALSE(any.contains(text)) << text;
}

TEST(NumberAutomaton, FractionsWithinBounds) {
  std::mt19937 random(11);
  for (int round = 0; round < 80; ++round) {
    const double low = (static_cast<int>(random() % 4000) - 2000) / (round % 2 == 0 ? 8.0 : 100.0);
    const double high = low + static_cast<int>(random() % 3000) / 64.0;
    NumberBounds bounds;
    if (round % 4 != 1) bounds.least = low;
    if (round % 4 != 2) bounds.most = high;
    bounds.least_exclusive = round % 3 == 0;
    bounds.most_exclusive = round % 5 == 0;
    if (!bounds.least && !bounds.most) continue;
    const CharacterAutomaton automaton = number_texts(bounds);
    for (int i = 0; i < 800; ++i) {
      const double value = i % 10 == 0   ? low
                           : i % 10 == 1 ? high
                                         : low - 5 + (high - low + 10) * (static_cast<int>(random() % 10000) / 10000.0);
      const std::string text = Json(std::round(value * 1e6) / 1e6).dump();
      if (text.find('e') != std::string::npos || text.size() > 14) continue;  // more digits than a bound is told from
      const double read = std::stod(text);
      bool inside = !bounds.least || (bounds.least_exclusive ? read > low : read >= low);
      inside = inside && (!bounds.most || (bounds.most_exclusive ? read < high : read <= high));
      ASSERT_EQ(automaton.contains(text), inside) << text << " in " << low << ".." << high << " round " << round;
    }
  }
  const CharacterAutomaton any = number_texts({});
  for (const char* text : {"0", "-0.5", "1e300", "1.5E-7", "123456789012.25", "2.0"})
    EXPECT_TRUE(any.contains(text)) << text;
  for (const char* text : {"1.", ".5", "01", "1e", "1e999", "--1", "NaN", "123456789012345678901234"})
    EXPECT_FALSE(any.contains(text)) << text;
}

TEST(ExpressionAutomaton, FindsWhatPcre2Finds) {
  const char* patterns[] = {
      "^[a-c]+$", "b",   "^a|b$", "(ab)*c?$", "^(a{2,4}|b)+$", "^\\w+@\\w+$",         "[^a]", "^$",
      "a$b",      "^é+", "\\s",   "^.{2,3}$", "a.c",           "^(?:a|ab)(?:c|bcd)$", "x*",   "^\\d{4}-\\d{2}$",
      "(^a|c$)"};
  const char* letters[] = {"a", "b", "c", "d", "é", "\n", " ", "@", "1", "-", "😀"};
  std::mt19937 random(3);
  for (const char* text : patterns) {
    const schema::Pattern pattern(text);
    const CharacterAutomaton automaton = from_expression(pattern.expression());
    const CharacterAutomaton not_it = complement(automaton);
    for (int i = 0; i < 3000; ++i) {
      std::string word;
      for (unsigned length = random() % 8; length > 0; --length) word += letters[random() % std::size(letters)];
      ASSERT_EQ(automaton.contains(word), pattern.search(word)) << text << " on " << word;
      ASSERT_NE(automaton.contains(word), not_it.contains(word)) << text << " on " << word;
    }
  }
}

TEST(ExpressionAutomaton, ProductsAndLengths) {
  std::mt19937 random(5);
  const CharacterAutomaton even = from_pattern("^(aa)*$"), words = from_pattern("^[ab]*b$");
  const CountedText three = counted(even, {3, 3}), four = counted(even, {3, 5}), long_words = counted(words, {2, 6});
  EXPECT_TRUE(three.automaton.empty());
  EXPECT_TRUE(four.automaton.contains("aaaa"));
  EXPECT_FALSE(four.automaton.contains("aa"));
  EXPECT_EQ(long_words.length.most, 6);
  EXPECT_TRUE(intersection(even, words).empty());
  EXPECT_TRUE(united(even, words).contains("aab"));
  EXPECT_TRUE(from_texts({}).empty());
  EXPECT_TRUE(every_text().free[0] != 0);
  const CompileClock clock(0.5);
  EXPECT_THROW(from_pattern("^(a?){3000}(b?){3000}$"), std::invalid_argument);
}

}  // namespace
}  // namespace retort::grammar
