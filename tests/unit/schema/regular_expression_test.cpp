// What patterns mean, and which are refused.
#include "schema/regular_expression.h"

#include <gtest/gtest.h>

#include "schema/code_points.h"
#include "schema/pattern.h"

namespace retort::schema {
namespace {

TEST(Pattern, MeansWhatEcma262Says) {
  struct Case {
    const char *pattern, *text;
    bool matches;
  };
  const Case cases[] = {
      {"^\\w+$", "caf\u00e9", false},  // ASCII for all who ask
      {"^\\w+$", "cafe_1", true},
      {"^\\d$", "\u0663", false},
      {"^[\\u0030-\\u0039-]+$", "2026-03-05", true},
      {"^[\\u0030-\\u0039-]+$", "tomorrow", false},
      {"^\\uD83D\\uDE00$", "\U0001F600", true},
      {"^\\u{1F600}$", "\U0001F600", true},
      {"^\\p{Letter}+$", "\u00e9\u4e2d", true},
      {"^\\P{L}$", "a", false},
      {"^\\s$", "\ufeff", true},
      {"a$", "a\n", false},
      {".", "\u2028", false},
      {"^[^]$", "\n", true},
      {"[]", "a", false},
      {"^\\cA$", "\x01", true},
      {"^(a|b)\\1$", "aa", true},
      {"^(?<x>a)\\k<x>$", "ab", false},
      {"^(?!no)", "node", false},
      {"^a{2,3}$", "aaa", true},
      {"^{a}$", "{a}", true},
      {"^[\\w-.]+$", "a-b.c", true},
      {"\\-\\@\\_", "-@_", true},
  };
  for (const Case& one : cases) EXPECT_EQ(Pattern(one.pattern).search(one.text), one.matches) << one.pattern;
}

TEST(Pattern, RefusesWhatIsNotEcma262) {
  for (const char* pattern :
       {"(",        ")",      "[",     "a**",   "*",       "\\Z",       "\\A",    "\\a",     "(?i)a", "a++",
        "(?P<x>a)", "a{3,2}", "[b-a]", "\\u12", "\\uD800", "\\p{Nope}", "\\2(a)", "\\k<no>", "(?#c)", "\\"})
    EXPECT_THROW(Pattern{pattern}, std::invalid_argument) << pattern;
}

TEST(Pattern, LongTextsAndNestedRepeatsEnd) {
  EXPECT_TRUE(Pattern("^(a|b)*$").search(std::string(1000000, 'a')));
  EXPECT_FALSE(Pattern("^(a+)+$").search(std::string(40, 'a') + "!"));
}

TEST(CodePoints, Utf8) {
  EXPECT_EQ(count_characters("a\u00e9\U0001F600"), 3);
  for (const std::string bytes : {"\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE2\x82"}) {
    std::size_t at = 0;
    EXPECT_GT(next_character(bytes, at), 0x10FFFFU);
    EXPECT_EQ(at, 1U);
  }
}

}  // namespace
}  // namespace retort::schema
