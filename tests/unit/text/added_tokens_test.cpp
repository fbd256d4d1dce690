// How added tokens are found: the ids of Hugging Face tokenizers 0.23.3 for the same tokens and texts.
#include "text/added_tokens.h"

#include "fixtures.h"

namespace retort::text {
namespace {

using Strings = std::vector<std::string>;

Strings segments(const AddedTokenFinder& finder, const std::string& text, bool parse_special = true) {
  Strings result;
  finder.split(text, parse_special, [&](const Segment& segment) {
    result.push_back((segment.token == nullptr ? "" : segment.token->content + "=") + std::string(segment.text));
  });
  return result;
}

TEST(AddedTokens, LeftmostThenLongest) {
  const AddedTokenFinder finder(
      {{.id = 0, .content = "<a>"}, {.id = 1, .content = "<a>b"}, {.id = 2, .content = "b<"}});
  EXPECT_EQ(segments(finder, "x<a>b<a>"), (Strings{"x", "<a>b=<a>b", "<a>=<a>"}));
}

TEST(AddedTokens, OneThatIsNotTakenHidesWhatLiesInIt) {
  const AddedTokenFinder words({{.id = 0, .content = "<m>b", .single_word = true}, {.id = 1, .content = "<m>"}});
  EXPECT_EQ(segments(words, "<m>bc <m>b"), (Strings{"<m>bc ", "<m>b=<m>b"}));
  const AddedTokenFinder special({{.id = 0, .content = "<|x|>", .special = true}, {.id = 1, .content = "x"}});
  EXPECT_EQ(segments(special, "x<|x|>", false), (Strings{"x=x", "<|x|>"}));
}

TEST(AddedTokens, WhiteSpaceTakenAlongMayHoldTokens) {
  const AddedTokenFinder finder({{.id = 0, .content = "<e>", .strip_right = true}, {.id = 1, .content = "\n"}});
  EXPECT_EQ(segments(finder, "<e>\na"), (Strings{"<e>=<e>\n", "\n=\n", "a"}));
  EXPECT_EQ(segments(finder, "<e> \n\n a"), (Strings{"<e>=<e> \n\n ", "\n=\n", "\n=\n", " a"}));
  const AddedTokenFinder left({{.id = 0, .content = "<e>", .strip_right = true},
                               {.id = 1, .content = "\n", .strip_left = true, .strip_right = true}});
  EXPECT_EQ(segments(left, "<e>\n a"), (Strings{"<e>=<e>\n ", "a"})) << "nothing is left for the second";
  const AddedTokenFinder both(
      {{.id = 0, .content = "<e>", .strip_right = true}, {.id = 1, .content = "<f>", .strip_left = true}});
  EXPECT_EQ(segments(both, "<e>  <f>"), (Strings{"<e>=<e>  ", "<f>=<f>"}));
}

/// Rust's regex crate has \w as Unicode's UTS 18 does: Alphabetic, marks, decimal digits, connectors, joiners.
TEST(AddedTokens, WordCharactersAreUnicodes) {
  for (const char* text :
       {"a", "é", "\u0301", "\u0903", "9", "٣", "_", "\u203f", "\u24d0", "\u2160", "\u200c", "\u200d", "中"})
    EXPECT_TRUE(begins_with_word_character(text)) << text;
  for (const char* text : {"", " ", "-", "½", "²", "🙂", "\u2460", "\u200b", "▁", "."})
    EXPECT_FALSE(begins_with_word_character(text)) << text;
}

}  // namespace
}  // namespace retort::text
