// Where added tokens are found. The ids are Hugging Face tokenizers 0.23.3's.
#include "cases.h"
#include "text/tokenizer.h"

namespace retort::cases {
namespace {

using text::TokenId;

std::vector<std::string> texts(const text::Tokenizer& tokenizer, const std::string& text) {
  std::vector<std::string> result;
  for (const TokenId id : tokenizer.encode(text, text::Tokenizer::Special::parse))
    result.emplace_back(tokenizer.token_bytes(id));
  return result;
}

TEST(AddedTokenCases, SingleWordsStandBetweenWhatUnicodeCallsNoWord) {
  RETORT_CASE("files/18-added-token-scanning");
  const auto tokenizer = text::Tokenizer::load(folder / "single_word_under.json");
  const TokenId mask = *tokenizer.find("<m>");
  const auto found = [&](const std::string& text) {
    const auto ids = tokenizer.encode(text, text::Tokenizer::Special::parse);
    return std::find(ids.begin(), ids.end(), mask) != ids.end();
  };
  EXPECT_FALSE(found("\u24d0<m>")) << "a circled letter is alphabetic";
  EXPECT_FALSE(found("<m>\u200d")) << "a joiner is of a word";
  EXPECT_FALSE(found("a<m>"));
  EXPECT_FALSE(found("<m>_"));
  EXPECT_TRUE(found("<m>"));
  EXPECT_TRUE(found("- <m>!"));
}

TEST(AddedTokenCases, WhiteSpaceTakenAlongIsATokenToo) {
  RETORT_CASE("files/18-added-token-scanning");
  EXPECT_EQ(texts(text::Tokenizer::load(folder / "rstrip_then_ws_token.json"), "<e>\na"),
            (std::vector<std::string>{"<e>", "\n", "a"}));
}

}  // namespace
}  // namespace retort::cases
