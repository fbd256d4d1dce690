// Special tokens for a tokenizer that came without them.
#include "text/extended_tokenizer.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "text/bpe_trainer.h"

namespace retort::text {
namespace {

Tokenizer small() {
  return Tokenizer::parse(
      train_byte_level_bpe({"turn the light on", "turn the light off"},
                           {.vocabulary_size = 275, .special_tokens = {"<|endoftext|>", "<|user|>"}}),
      "the test's tokenizer");
}

TEST(ExtendedTokenizer, AppendsWhatIsMissingInOrder) {
  const Tokenizer old = small();
  const Tokenizer extended = with_special_tokens(old, {"<|pad|>", "<|user|>", "<|call:x|>"});
  EXPECT_EQ(extended.vocabulary_size(), old.vocabulary_size() + 2);
  EXPECT_EQ(extended.find("<|pad|>"), old.vocabulary_size());
  EXPECT_EQ(extended.find("<|call:x|>"), old.vocabulary_size() + 1);
  EXPECT_EQ(extended.find("<|user|>"), old.find("<|user|>"));
  EXPECT_TRUE(extended.is_special(*extended.find("<|call:x|>")));
  EXPECT_EQ(extended.encode(" turn the light"), old.encode(" turn the light"));
  EXPECT_EQ(extended.encode("<|call:x|>", Tokenizer::Special::parse).size(), 1u);
  EXPECT_GT(extended.encode("<|call:x|>", Tokenizer::Special::as_text).size(), 1u);
  EXPECT_EQ(with_special_tokens(extended, {"<|pad|>", "<|call:x|>"}).to_json(), extended.to_json());
}

TEST(ExtendedTokenizer, RefusesATokenThatTextCouldForge) {
  const Tokenizer old = small();
  const std::string ordinary(old.token(old.encode("t").front()));
  try {
    with_special_tokens(old, {ordinary});
    FAIL() << "expected an error for " << ordinary;
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("'" + ordinary + "' as an ordinary token"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace retort::text
