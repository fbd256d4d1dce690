// Tokenizers that are larger and smaller than the embedding.
#include "runtime/generate/vocabulary_fit.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

namespace retort::runtime {
namespace {

/// Byte-level BPE of 256 bytes, then the added tokens "<a>", "<b>", … with ids from 256 on.
text::Tokenizer tokenizer_with(int added) {
  nlohmann::json vocabulary = nlohmann::json::object(), tokens = nlohmann::json::array();
  int next = 0;
  // GPT-2's alphabet: printable Latin-1 stands for itself, the other 68 bytes for U+0100 and up.
  const auto is_printable = [](int byte) {
    return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  };
  const auto utf8 = [](int code) {
    if (code < 128) return std::string(1, static_cast<char>(code));
    return std::string{static_cast<char>(0xC0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3F))};
  };
  int other = 256;
  for (int byte = 0; byte < 256; ++byte) vocabulary[utf8(is_printable(byte) ? byte : other++)] = next++;
  for (int i = 0; i < added; ++i)
    tokens.push_back({{"id", 256 + i},
                      {"content", std::string("<") + static_cast<char>('a' + i) + ">"},
                      {"special", i % 2 == 0},
                      {"normalized", false},
                      {"single_word", false},
                      {"lstrip", false},
                      {"rstrip", false}});
  const nlohmann::json json = {
      {"added_tokens", tokens},
      {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}},
      {"decoder", {{"type", "ByteLevel"}}},
      {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", nlohmann::json::array()}}}};
  return text::Tokenizer::parse(json.dump(), "test");
}

model::ModelConfig rows(std::int64_t count) {
  model::ModelConfig config;
  config.vocabulary_size = count;
  return config;
}

TEST(VocabularyFit, NamesThePaddingOfALargerEmbedding) {
  const text::Tokenizer tokenizer = tokenizer_with(3);
  const VocabularyFit fit = vocabulary_fit(rows(320), tokenizer, "m");
  EXPECT_EQ(fit.padding(), std::make_pair(std::int64_t{259}, std::int64_t{320}));
  EXPECT_EQ(missing_rows_text(fit, tokenizer), "");
  const VocabularyFit exact = vocabulary_fit(rows(259), tokenizer, "m");
  EXPECT_EQ(exact.padding().first, exact.padding().second);
}

TEST(VocabularyFit, ToleratesAddedTokensWithoutARow) {
  const text::Tokenizer tokenizer = tokenizer_with(7);
  const VocabularyFit fit = vocabulary_fit(rows(257), tokenizer, "m");
  EXPECT_EQ(fit.without_row, (std::vector<text::TokenId>{257, 258, 259, 260, 261, 262}));
  EXPECT_EQ(fit.padding().first, fit.padding().second);
  EXPECT_EQ(missing_rows_text(fit, tokenizer),
            "tokenizer.json has 6 added tokens without a row in the embedding, which has 257: 257 '<b>', 258 '<c>', "
            "259 '<d>', 260 '<e>', 261 '<f>', …; text with them is refused");
  EXPECT_NO_THROW(require_rows(std::vector<text::TokenId>{0, 256}, tokenizer, rows(257)));
  EXPECT_THROW(require_rows(std::vector<text::TokenId>{0, 257}, tokenizer, rows(257)), std::invalid_argument);
}

TEST(VocabularyFit, RefusesTheTokenizerOfAnotherModel) {
  try {
    vocabulary_fit(rows(255), tokenizer_with(1), "some/folder");
    ADD_FAILURE() << "accepted";
  } catch (const std::invalid_argument& error) {
    const std::string text = error.what();
    EXPECT_EQ(text.find("some/folder: expected a tokenizer.json whose vocabulary has ids below vocab_size, 255, found "
                        "255 '"),
              0U)
        << text;
  }
}

}  // namespace
}  // namespace retort::runtime
