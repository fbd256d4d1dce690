// Patterns mean what Oniguruma reads; where PCRE2 runs in its place, the two agree: on every character that Oniguruma's
// older tables know, and on random texts.
#include "text/regex.h"

#include <utf8proc.h>

#include <random>

#include "fixtures.h"
#include "text/shared_patterns.h"

namespace retort::text {
namespace {

using Strings = std::vector<std::string>;

Strings matches_of(const Regex& regex, const std::string& text) {
  Strings result;
  Regex::Matches matches(regex, text);
  while (const auto match = matches.next()) result.push_back(text.substr(match->begin, match->end - match->begin));
  return result;
}

std::string utf8(std::uint32_t c) {
  const auto byte = [&](unsigned lead, unsigned shift) { return static_cast<char>(lead | (c >> shift & 0x3FU)); };
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xC0U | c >> 6U), byte(0x80, 0)};
  if (c < 0x10000) return {static_cast<char>(0xE0U | c >> 12U), byte(0x80, 6), byte(0x80, 0)};
  return {static_cast<char>(0xF0U | c >> 18U), byte(0x80, 12), byte(0x80, 6), byte(0x80, 0)};
}

bool is_character(std::uint32_t c) {
  return c != 0 && (c < 0xD800 || c > 0xDFFF);
}

TEST(Regex, ReadsOnigurumasDialect) {
  EXPECT_EQ(matches_of(Regex(R"(\p{N}{1,3}+)"), "123456"), (Strings{"123456"})) << "the + repeats the group";
  EXPECT_EQ(matches_of(Regex(R"([a-z&&[^c]]+)"), "abcde"), (Strings{"ab", "de"}));
  EXPECT_EQ(matches_of(Regex(R"(^a|b$)"), "ab\nab"), (Strings{"a", "b", "a", "b"})) << "at every line";
  EXPECT_EQ(matches_of(Regex(R"(\h+)"), "xff0"), (Strings{"ff0"})) << "hexadecimal digits";
  EXPECT_EQ(matches_of(Regex(R"(a.c)"), "a\nc abc"), (Strings{"abc"}));
  EXPECT_EQ(matches_of(Regex(R"(\A\w+|\z)"), "é b"), (Strings{"é", ""}));
}

TEST(Regex, EmptyMatchesButDirectlyBehindAMatch) {
  EXPECT_EQ(matches_of(Regex("x*"), "abxxc"), (Strings{"", "", "xx", ""}));
  EXPECT_EQ(matches_of(Regex("^|b"), "a\nbc"), (Strings{"", ""}));
  EXPECT_EQ(matches_of(Regex("x*"), ""), Strings{});
  EXPECT_EQ(matches_of(Regex("(?=ö)"), "äöü"), (Strings{""}));
}

TEST(Regex, RefusesWithTheEnginesReason) {
  EXPECT_EQ(tests::error_of([] { Regex("(a"); }), "regular expression \"(a\": end pattern with unmatched parenthesis");
  EXPECT_TRUE(tests::contains(tests::error_of([] { Regex(R"(\p{Nope})"); }), "invalid character property name"));
}

TEST(Regex, GivesUpInsteadOfBacktrackingForEver) {
  const Regex regex("(a+)+b");
  const std::string text(60, 'a');
  EXPECT_TRUE(tests::contains(tests::error_of([&] { matches_of(regex, text); }), "on a text of 60 bytes: retry-limit"));
}

TEST(Regex, OnlyTheSharedPatternsRunOnPcre2) {
  for (const std::string& pattern : shared_patterns()) EXPECT_TRUE(Regex(pattern).runs_on_pcre2()) << pattern;
  EXPECT_TRUE(Regex(quoted_for_regex("▁a.b]")).runs_on_pcre2());
  for (const char* other : {R"(\p{N}{1,3}+)", "^a", "a$", "a|b", R"(\h)", "[a]", "\\", "a{1}"})
    if (other != std::string("\\")) {
      EXPECT_FALSE(Regex(other).runs_on_pcre2()) << other;
    }
}

TEST(Regex, EnginesAgreeOnEveryCharacterThatBothKnow) {
  // Numbers of characters in Hugging Face tokenizers 0.23.3's Oniguruma, with which PCRE2 10.46 agrees on each.
  const std::pair<const char*, int> classes[] = {
      {R"(\p{L})", 141028}, {R"(\p{N})", 1911}, {R"(\s)", 25}, {"(?i:[strevmld])", 17}};
  for (const auto& [pattern, count] : classes) {
    const Regex oniguruma(pattern, Regex::Engine::oniguruma), pcre2(pattern, Regex::Engine::pcre2);
    int found = 0;
    for (std::uint32_t c = 1; c < 0x110000; ++c) {
      if (!is_character(c)) continue;
      const std::string text = utf8(c);
      const bool matched = Regex::Matches(pcre2, text).next().has_value();
      found += matched ? 1 : 0;
      const bool assigned = utf8proc_category(static_cast<utf8proc_int32_t>(c)) != UTF8PROC_CATEGORY_CN;
      if (assigned && Regex::Matches(oniguruma, text).next().has_value() != matched)
        FAIL() << pattern << std::hex << " U+" << c;
    }
    EXPECT_EQ(found, count) << pattern;
  }
}

TEST(Regex, EnginesAgreeOnSharedPatterns) {
  const Strings parts = {"'",  "s", "S",  "T",  "re", "'VE",    "ll",     "\u017f", "a",      "É",     "中",
                         "한", " ", "  ", "\t", "\n", "\r\n",   "\u00a0", "\u3000", "1",      "12",    "٣",
                         "½",  "!", "?!", "…",  "🙂", "\u0301", "_",      "-",      "\u180e", "\u200d"};
  std::mt19937 random(7);
  for (const std::string& pattern : shared_patterns()) {
    const Regex oniguruma(pattern, Regex::Engine::oniguruma), pcre2(pattern, Regex::Engine::pcre2);
    for (int round = 0; round < 3000; ++round) {
      std::string text;
      for (auto count = random() % 12; count > 0; --count) text += parts[random() % parts.size()];
      ASSERT_EQ(matches_of(oniguruma, text), matches_of(pcre2, text)) << pattern << " on " << text;
    }
  }
}

}  // namespace
}  // namespace retort::text
