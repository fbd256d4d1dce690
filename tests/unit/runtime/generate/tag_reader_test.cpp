// TagReader: the answer that logits under a prompt say, and its probability, against sums by hand.
#include "runtime/generate/tag_reader.h"

#include <gtest/gtest.h>

#include <cmath>

#include "markov_model.h"
#include "task/prompt_contract.h"
#include "text/bpe_trainer.h"

namespace retort::runtime {
namespace {

using Tokens = std::vector<text::TokenId>;

struct Asked {
  task::PromptContract contract{"functional_tokens", testing::light_tools()};
  text::Tokenizer tokenizer = text::Tokenizer::parse(
      text::train_byte_level_bpe({" the hall"}, {.vocabulary_size = 270, .special_tokens = contract.special_tokens()}),
      "the test's");
  TagReader reader{contract.envelope(tokenizer), tokenizer};
  Tokens prompt;
  std::vector<float> logits;

  explicit Asked(const std::string& said)
      : prompt(contract.prompt(tokenizer, said)), logits(prompt.size() * size(), 0.0F) {}
  std::size_t size() const { return static_cast<std::size_t>(tokenizer.vocabulary_size()); }
  text::TokenId id(const char* token) const { return *tokenizer.find(token); }
  /// The logit of `tag` under each token of the prompt whose text is `bytes`.
  void say(const std::string& bytes, const char* tag, float logit) {
    for (std::size_t t = 0; t < prompt.size(); ++t)
      if (tokenizer.token_bytes(prompt[t]) == bytes) logits[t * size() + static_cast<std::size_t>(id(tag))] = logit;
  }
  std::string text(const char* call) const {
    const auto response = reader.response(prompt, logits, id(call));
    return response ? tokenizer.decode(*response, true) : "no call";
  }
};

}  // namespace

TEST(TagReader, ReadsWholeWords) {
  // "xyz" is several tokens: x and z say room with less than y says none, so that the word is no room; and then more.
  Asked asked("a xyz b");
  asked.say("x", "<|room|>", 1);
  asked.say("y", "<|none|>", 3);
  asked.say("z", "<|room|>", 1);
  EXPECT_EQ(asked.text("<|call:light_set|>"), "<|call:light_set|><|end|>");
  asked.say("z", "<|room|>", 4);
  EXPECT_EQ(asked.text("<|call:light_set|>"), "<|call:light_set|><|room|> xyz<|end|>");
}

TEST(TagReader, KnowsOnlyTheArgumentsOfTheTool) {
  Asked asked("hall");
  for (const text::TokenId token : asked.prompt) asked.say(asked.tokenizer.token_bytes(token), "<|room|>", 5);
  EXPECT_EQ(asked.text("<|call:light_set|>"), "<|call:light_set|><|room|> hall<|end|>");
  EXPECT_EQ(asked.text("<|call:alarm_cancel|>"), "<|call:alarm_cancel|><|end|>");
  EXPECT_EQ(asked.text("<|none|>"), "no call");
}

TEST(TagReader, SumsTheLogarithmsOfAnAnswersTags) {
  Asked asked("hall on");
  for (const text::TokenId token : asked.prompt) asked.say(asked.tokenizer.token_bytes(token), "<|state|>", 2);
  const auto tokens = static_cast<double>(asked.prompt.size() - 2);
  const double rest = std::log(2 + std::exp(2.0));  // room, none and, by e^2, state
  const auto of = [&](const nlohmann::json& arguments) {
    const Tokens response = asked.contract.response(asked.tokenizer, "hall on", {{"light_set", arguments}});
    return asked.reader.log_probability(asked.prompt, asked.logits, response).value();
  };
  const Tokens hall = asked.tokenizer.encode(" hall");
  const auto others = tokens - static_cast<double>(hall.size());
  EXPECT_NEAR(of({{"state", "on"}, {"room", "hall"}}), others * 2 - tokens * rest, 1e-9);
  EXPECT_NEAR(of({{"state", "on"}}), others * 2 - tokens * rest, 1e-9);
  EXPECT_NEAR(of({{"state", "off"}}), -tokens * rest, 1e-9);
  const Tokens two = asked.contract.response(
      asked.tokenizer, "hall on", {{"light_set", {{"state", "on"}}}, {"alarm_cancel", nlohmann::json::object()}});
  EXPECT_FALSE(asked.reader.log_probability(asked.prompt, asked.logits, two));
  EXPECT_FALSE(asked.reader.log_probability(asked.prompt, asked.logits, Tokens{asked.id("<|none|>")}));
}

TEST(TagReader, RefusesFormsWithoutTokensForArguments) {
  const Asked asked("on");
  const task::PromptContract json("json", testing::light_tools());
  const text::Tokenizer tokenizer = text::Tokenizer::parse(
      text::train_byte_level_bpe({" on"}, {.vocabulary_size = 262, .special_tokens = json.special_tokens()}), "json");
  EXPECT_THROW(TagReader(json.envelope(tokenizer), tokenizer), std::invalid_argument);
}

}  // namespace retort::runtime
