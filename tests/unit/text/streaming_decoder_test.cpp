// Streaming never emits half a character, and in the end gives what decode() gives.
#include <random>

#include "fixtures.h"
#include "host/base/utf8.h"
#include "text/bpe_trainer.h"
#include "text/tokenizer.h"

namespace retort::text {
namespace {

Tokenizer bytes_tokenizer() {
  return Tokenizer::parse(train_byte_level_bpe({}, {.vocabulary_size = 257, .special_tokens = {"<|end|>"}}), "bytes");
}

TEST(StreamingDecoder, HoldsBackIncompleteCharacters) {
  const Tokenizer tokenizer = bytes_tokenizer();
  StreamingDecoder decoder(tokenizer);
  const auto ids = tokenizer.encode("a€");
  ASSERT_EQ(ids.size(), 4U);
  EXPECT_EQ(decoder.push(ids[0]), "a");
  EXPECT_EQ(decoder.push(ids[1]), "");
  EXPECT_EQ(decoder.push(*tokenizer.find("<|end|>")), "");
  EXPECT_EQ(decoder.push(ids[2]), "");
  EXPECT_EQ(decoder.push(ids[3]), "€");
  EXPECT_EQ(decoder.finish(), "");
  decoder.push(ids[1]);
  EXPECT_EQ(decoder.finish(), "\uFFFD");
}

TEST(StreamingDecoder, AgreesWithDecodeOnAnyBytes) {
  const Tokenizer tokenizer = bytes_tokenizer();
  std::mt19937 random(3);
  for (int round = 0; round < 500; ++round) {
    std::vector<TokenId> ids;
    for (int i = 0; i < 30; ++i) {
      // Mostly bytes of multi-byte characters, where mistakes would show.
      const std::string byte(1, static_cast<char>(random() % 4 == 0 ? random() % 256 : 0x80 + random() % 128));
      for (TokenId id = 0; id < 256; ++id)
        if (tokenizer.token_bytes(id) == byte) ids.push_back(id);
    }
    StreamingDecoder decoder(tokenizer);
    std::string text;
    for (const TokenId id : ids) {
      const std::string part = decoder.push(id);
      EXPECT_EQ(host::replace_invalid_utf8(part), part);
      text += part;
    }
    EXPECT_EQ(text + decoder.finish(), tokenizer.decode(ids)) << "round " << round;
  }
}

}  // namespace
}  // namespace retort::text
