// Tags of prompts: what an answer says of each token, and the answer that tags say.
#include "task/prompt_tags.h"

#include <gtest/gtest.h>

#include "task/prompt_contract.h"
#include "text/bpe_trainer.h"

namespace retort::task {
namespace {

using Tokens = std::vector<text::TokenId>;

/// A task of two tools and its tokenizer.
struct Tagged {
  PromptContract contract{
      "functional_tokens",
      {{"play",
        "plays",
        {{"type", "object"}, {"properties", {{"track", {{"type", "string"}}}, {"artist", {{"type", "string"}}}}}}},
       {"buy",
        "buys",
        {{"type", "object"}, {"properties", {{"items", {{"type", "array"}, {"items", {{"type", "string"}}}}}}}}}}};
  text::Tokenizer tokenizer = text::Tokenizer::parse(
      text::train_byte_level_bpe({" play hello by adele"},
                                 {.vocabulary_size = 300, .special_tokens = contract.special_tokens()}),
      "the test's");

  text::TokenId id(const char* token) const { return *tokenizer.find(token); }
  Tokens tags(const std::string& said, const Tokens& response) const {
    return prompt_tags(contract.prompt(tokenizer, said), response, tokenizer, id("<|none|>"), "and");
  }
  /// The text under each tag, with the tag, in order; what has none behind "-".
  std::string shown(const std::string& said, const Tokens& response) const {
    const Tokens prompt = contract.prompt(tokenizer, said), tags = this->tags(said, response);
    EXPECT_EQ(tags.size(), prompt.size());
    EXPECT_EQ(tags.back(), -1);
    std::string text(tokenizer.token(tags.front()));
    for (std::size_t t = 1; t + 1 < tags.size(); ++t) {
      if (t == 1 || tags[t] != tags[t - 1])
        text += tags[t] == id("<|none|>") ? " -" : " " + std::string(tokenizer.token(tags[t]));
      text += tokenizer.token_bytes(prompt[t]);
    }
    return text;
  }
  std::string shown(const std::string& said, const Call& call) const {
    return shown(said, contract.response(tokenizer, said, {call}));
  }
  /// The call that is read back from a call's own tags.
  ParsedResponse read_back(const std::string& said, const Call& call) const {
    const Tokens response = contract.response(tokenizer, said, {call});
    return contract.parse(tokenizer,
                          tagged_response(contract.prompt(tokenizer, said), tags(said, response), response.front(),
                                          id("<|none|>"), id("<|next|>"), id("<|end|>")),
                          conversation_of(said));
  }
};

}  // namespace

TEST(PromptTags, NameTheArgumentThatTakesEachToken) {
  const Tagged task;
  EXPECT_EQ(task.shown("play hello by adele now", {"play", {{"track", "hello"}, {"artist", "adele"}}}),
            "<|call:play|> - play <|track|> hello - by <|artist|> adele - now");
  // The second of two like words goes to the second value; what is not said word by word has no place.
  EXPECT_EQ(task.shown("play hello by hello", {"play", {{"track", "hello"}, {"artist", "hello"}}}),
            "<|call:play|> - play <|artist|> hello - by <|track|> hello");
  EXPECT_EQ(task.shown("play it", {"play", {{"track", "that"}}}), "<|call:play|> - play it");
  EXPECT_EQ(task.shown("buy tea, red wine and eggs", {"buy", {{"items", {"tea", "red wine", "eggs"}}}}),
            "<|call:buy|> - buy <|items|> tea, red wine and eggs");
  // Items that are said apart.
  EXPECT_EQ(task.shown("buy tea or, well, eggs", {"buy", {{"items", {"tea", "eggs"}}}}),
            "<|call:buy|> - buy <|items|> tea - or, well, <|items|> eggs");
  EXPECT_EQ(task.shown("play it", Tokens()), "<|none|> - play it");
}

TEST(PromptTags, SayTheCallThatTheyAreOf) {
  const Tagged task;
  const std::vector<std::pair<std::string, Call>> cases = {
      {"play hello by adele now", {"play", {{"track", "hello"}, {"artist", "adele"}}}},
      {"by adele play hello", {"play", {{"track", "hello"}, {"artist", "adele"}}}},
      {"play", {"play", nlohmann::json::object()}},
      {"buy tea, red wine and eggs", {"buy", {{"items", {"tea", "red wine", "eggs"}}}}},
      // Items apart from each other stand one by one.
      {"buy tea for me now please eggs", {"buy", {{"items", {"tea", "eggs"}}}}}};
  for (const auto& [said, call] : cases) {
    const ParsedResponse parsed = task.read_back(said, call);
    ASSERT_TRUE(std::holds_alternative<std::vector<Call>>(parsed))
        << said << ": " << std::get<Malformed>(parsed).reason;
    EXPECT_EQ(std::get<std::vector<Call>>(parsed), std::vector<Call>{call}) << said;
  }
  // What is not said has no tag.
  const ParsedResponse parsed = task.read_back("play it", {"play", {{"track", "that"}}});
  EXPECT_EQ(std::get<std::vector<Call>>(parsed), (std::vector<Call>{{"play", nlohmann::json::object()}}));
}

TEST(PromptContract, TagWeightIsOfFunctionalTokensAlone) {
  const Tagged task;
  const PromptContract taught = task.contract.with_tag_weight(1.5);
  EXPECT_EQ(taught.to_json().at("tag_weight"), 1.5);
  EXPECT_EQ(PromptContract::from_json(taught.to_json(), "the test's").tag_weight(), 1.5);
  EXPECT_FALSE(task.contract.to_json().contains("tag_weight"));
  EXPECT_EQ(PromptContract::from_json(task.contract.to_json(), "the test's").tag_weight(), 0);
  EXPECT_THROW(task.contract.with_tag_weight(-1), std::invalid_argument);
  const PromptContract json("json", task.contract.tools());
  EXPECT_EQ(json.with_tag_weight(0).tag_weight(), 0);
  EXPECT_THROW(json.with_tag_weight(1), std::invalid_argument);
}

}  // namespace retort::task
