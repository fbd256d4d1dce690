// Replacement of invalid UTF-8 by maximal subparts, incomplete ends, and the byte alphabet.
#include "host/base/utf8.h"

#include <gtest/gtest.h>

#include "text/byte_alphabet.h"

namespace retort::host {
namespace {

constexpr char replacement[] = "\xEF\xBF\xBD";

TEST(Utf8, KeepsValidText) {
  const std::string text = "aß€𝄞\u07FF\u0800\uFFFF\U0010FFFF";
  EXPECT_EQ(replace_invalid_utf8(text), text);
  EXPECT_EQ(character_length("€uro"), 3U);
  EXPECT_EQ(character_length(""), 0U);
}

TEST(Utf8, ReplacesMaximalSubparts) {
  const std::string r = replacement;
  // Unicode standard, table 3-8 and its neighbours.
  EXPECT_EQ(replace_invalid_utf8("\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64"),
            "a" + r + r + r + "b" + r + "c" + r + r + "d");
  EXPECT_EQ(replace_invalid_utf8("\xC0\xAF"), r + r);                  // overlong
  EXPECT_EQ(replace_invalid_utf8("\xED\xA0\x80"), r + r + r);          // surrogate
  EXPECT_EQ(replace_invalid_utf8("\xF4\x90\x80\x80"), r + r + r + r);  // above U+10FFFF
  EXPECT_EQ(replace_invalid_utf8("\xE2\x82"), r);
}

TEST(Utf8, FindsIncompleteEnds) {
  EXPECT_EQ(incomplete_end("a\xE2\x82"), 2U);
  EXPECT_EQ(incomplete_end("\xF0\x9D\x84"), 3U);
  EXPECT_EQ(incomplete_end("a\xC3"), 1U);
  EXPECT_EQ(incomplete_end("a€"), 0U);
  EXPECT_EQ(incomplete_end("\xED\xA0"), 0U);  // no byte can complete it
  EXPECT_EQ(incomplete_end("\x80\x80\x80"), 0U);
  EXPECT_EQ(incomplete_end(""), 0U);
}

TEST(ByteAlphabet, IsABijection) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  const std::string text = text::to_alphabet(all);
  EXPECT_EQ(replace_invalid_utf8(text), text);
  EXPECT_EQ(text::from_alphabet(text), all);
  EXPECT_EQ(text::to_alphabet(" \n"), "ĠĊ");  // as every GPT-2 vocabulary spells them
  EXPECT_EQ(text::from_alphabet("a b"), std::nullopt);
  EXPECT_EQ(text::from_alphabet("€"), std::nullopt);
  EXPECT_EQ(text::from_alphabet("\xFF"), std::nullopt);
}

}  // namespace
}  // namespace retort::host
