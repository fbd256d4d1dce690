// tokenizer.json files that 0.1.0 read differently than Hugging Face tokenizers 0.23.3, whose ids these are.
#include "cases.h"
#include "text/tokenizer.h"

namespace retort::cases {
namespace {

using text::TokenId;
using Pieces = std::vector<std::string>;

/// The texts of the tokens, byte-level spaces as "_".
Pieces pieces_of(const std::filesystem::path& file, const std::string& text) {
  const auto tokenizer = text::Tokenizer::load(file);
  Pieces pieces;
  for (const TokenId id : tokenizer.encode(text)) pieces.push_back(tokenizer.token_bytes(id));
  return pieces;
}

TEST(TokenizerCases, PatternsMeanWhatOnigurumaReads) {
  RETORT_CASE("files/01-regex-dialect");
  EXPECT_EQ(pieces_of(folder / "quant_interval_plus.json", "123456"), (Pieces{"123456"}));
  EXPECT_EQ(pieces_of(folder / "cl100k_new.json", "123456 abc's"), (Pieces{"123456", " ", "abc", "'s"}));
  EXPECT_EQ(pieces_of(folder / "kimi_intersection.json", "ABC's"), (Pieces{"A", "B", "C", "'s"}));
  EXPECT_EQ(pieces_of(folder / "dollar_multiline.json", "abc\nabc"), (Pieces{"abc", "\n", "abc"}));
  EXPECT_EQ(pieces_of(folder / "caret_multiline.json", "abc\nabc"), (Pieces{"abc", "\n", "abc"}));
  EXPECT_EQ(pieces_of(folder / "backslash_h.json", "ff ff"), (Pieces{"ff", " ", "ff"}));
  const auto replaced = pieces_of(folder / "replace_caret_multiline.json", " a\n  b");
  std::string text;
  for (const std::string& piece : replaced) text += piece;
  EXPECT_EQ(text, "_a\n_b");
}

TEST(TokenizerCases, Gpt2sOwnFileHasNoModelType) {
  RETORT_CASE("files/16-gpt2-tokenizer-without-model-type");
  for (const char* file : {"model_no_type.json", "merges_version.json"})
    EXPECT_EQ(text::Tokenizer::load(folder / file).encode("abc ab"), (std::vector<TokenId>{256, 99, 32, 256})) << file;
}

TEST(TokenizerCases, NfcKeepsEveryCharacter) {
  RETORT_CASE("files/17-nfc-hangul");
  const auto tokenizer = text::Tokenizer::load(folder / "nfc_order.json");
  std::string bytes;
  for (const TokenId id : tokenizer.encode("\uac00\u11a7")) bytes += tokenizer.token_bytes(id);
  EXPECT_EQ(bytes, "\xea\xb0\x80\xe1\x86\xa7");
}

}  // namespace
}  // namespace retort::cases
