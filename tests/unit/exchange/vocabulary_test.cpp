// Tokenizers larger and smaller than the embedding.
#include "exchange/vocabulary.h"

#include <gtest/gtest.h>

namespace retort::exchange {
namespace {

using Strings = std::vector<std::string>;

TEST(Vocabulary, PaddingRowsAreNamed) {
  EXPECT_EQ(padding_note(10, 12), "embedding rows 10 to 11 belong to no token: padding");
  EXPECT_EQ(padding_note(11, 12), "embedding row 11 belongs to no token: padding");
  EXPECT_FALSE(padding_note(12, 12));
}

TEST(Vocabulary, TokensWithoutARowAreTakenOut) {
  model::GgufMetadata keys = {{"tokenizer.ggml.tokens", Strings{"a", "b", "ab", "abb", "x"}},
                              {"tokenizer.ggml.scores", std::vector<float>{0, -1, -2, -3, -4}},
                              {"tokenizer.ggml.token_type", std::vector<std::int32_t>{1, 1, 1, 1, 1}},
                              {"tokenizer.ggml.merges", Strings{"a b", "ab b", "x a"}}};
  const model::GgufMetadata original = keys;
  EXPECT_FALSE(drop_tokens_without_rows(keys, 5));
  EXPECT_EQ(keys, original);
  EXPECT_EQ(drop_tokens_without_rows(keys, 3), "tokens 3 to 4: no row in the embedding, left out");
  EXPECT_EQ(std::get<Strings>(keys["tokenizer.ggml.tokens"]), (Strings{"a", "b", "ab"}));
  EXPECT_EQ(std::get<std::vector<float>>(keys["tokenizer.ggml.scores"]).size(), 3U);
  EXPECT_EQ(std::get<std::vector<std::int32_t>>(keys["tokenizer.ggml.token_type"]).size(), 3U);
  EXPECT_EQ(std::get<Strings>(keys["tokenizer.ggml.merges"]), Strings{"a b"});
}

}  // namespace
}  // namespace retort::exchange
