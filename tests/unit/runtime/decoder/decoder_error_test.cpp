// What the decoder refuses: bad options, bad tokens, a full cache, damaged weights. Each message names what and where.
#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

#include "random_model.h"
#include "runtime/decoder/decoder.h"

namespace retort::runtime {
namespace {

using testing::Storage;
using testing::TemporaryFolder;

class DecoderErrors : public ::testing::Test {
 protected:
  DecoderErrors() { testing::write_model(folder_.path(), config_, weights_, Storage::f32); }

  template <class Error, class Action>
  static void expect_message(Action action, const std::vector<std::string>& parts) {
    try {
      action();
      ADD_FAILURE() << "accepted; expected an error with '" << parts.front() << "'";
    } catch (const Error& error) {
      for (const std::string& part : parts) {
        EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
      }
    }
  }

  TemporaryFolder folder_;
  model::ModelConfig config_ = testing::awkward_config();
  testing::Weights weights_ = testing::random_weights(config_, 3);
};

TEST_F(DecoderErrors, PromptLongerThanTheCache) {
  const model::ModelFolder model(folder_.path());
  Decoder decoder(model, {.context = 8});
  EXPECT_EQ(decoder.context(), 8);
  const std::vector<TokenId> nine(9, 1);
  expect_message<std::invalid_argument>([&] { decoder.forward(nine); }, {"9 tokens", "cache of 8"});
  expect_message<std::invalid_argument>([&] { decoder.forward_all(nine); }, {"9 tokens", "cache of 8"});
  EXPECT_EQ(decoder.position(), 0);
}

TEST_F(DecoderErrors, OverflowWhileDecodingLeavesTheCacheAsItWas) {
  const model::ModelFolder model(folder_.path());
  Decoder decoder(model, {.context = 8});
  const std::vector<TokenId> six(6, 1), three(3, 2), two(2, 3);
  decoder.forward(six);
  expect_message<std::invalid_argument>([&] { decoder.forward(three); }, {"position 6", "cache of 8"});
  EXPECT_EQ(decoder.position(), 6);
  const std::span<const float> after = decoder.forward(two);
  const std::vector<float> found(after.begin(), after.end());
  Decoder fresh(model, {.context = 8});
  fresh.forward(six);
  const std::span<const float> expected = fresh.forward(two);
  EXPECT_EQ(found, std::vector<float>(expected.begin(), expected.end()));
}

TEST_F(DecoderErrors, TokenOutsideTheVocabulary) {
  const model::ModelFolder model(folder_.path());
  Decoder decoder(model, {});
  const std::vector<TokenId> high{1, 2, 131}, negative{-1};
  expect_message<std::invalid_argument>([&] { decoder.forward(high); }, {"token 131 at index 2", "0 to 130"});
  expect_message<std::invalid_argument>([&] { decoder.forward(negative); }, {"token -1 at index 0"});
  EXPECT_EQ(decoder.position(), 0);
}

TEST_F(DecoderErrors, NoTokens) {
  const model::ModelFolder model(folder_.path());
  Decoder decoder(model, {});
  EXPECT_THROW(decoder.forward({}), std::invalid_argument);
  EXPECT_THROW(decoder.forward_all({}), std::invalid_argument);
}

TEST_F(DecoderErrors, OptionsOutOfRange) {
  const model::ModelFolder model(folder_.path());
  expect_message<std::invalid_argument>([&] { Decoder(model, {.context = 641}); }, {"context", "640", "641"});
  expect_message<std::invalid_argument>([&] { Decoder(model, {.context = -1}); }, {"context", "-1"});
  expect_message<std::invalid_argument>([&] { Decoder(model, {.threads = 0}); }, {"threads", "0"});
}

TEST_F(DecoderErrors, MoreThreadsThanTheMachineHasStillWork) {
  const model::ModelFolder model(folder_.path());
  Decoder many(model, {.threads = 4096}), one(model, {});
  const std::vector<TokenId> tokens{1, 2, 3};
  EXPECT_EQ(many.forward_all(tokens), one.forward_all(tokens));
  EXPECT_NE(many.implementations().front().find("4096 requested"), std::string::npos) << many.implementations().front();
}

TEST_F(DecoderErrors, DamagedWeightsAreNamed) {
  for (const char* name :
       {"model.layers.2.mlp.up_proj.weight", "model.layers.0.self_attn.v_proj.weight",
        "model.layers.1.post_attention_layernorm.weight", "model.norm.weight", "model.embed_tokens.weight"}) {
    testing::Weights damaged = weights_;
    damaged.at(name)[5] = std::numeric_limits<float>::quiet_NaN();
    const TemporaryFolder folder;
    testing::write_model(folder.path(), config_, damaged, Storage::f32);
    const model::ModelFolder model(folder.path());
    expect_message<std::runtime_error>([&] { Decoder(model, {}); }, {name, "NaN", folder.path().string()});
  }
}

}  // namespace
}  // namespace retort::runtime
