// Conversations in the forms "functional_tokens" and "json": earlier turns, token by token, and what they refuse.
#include "fixtures.h"
#include "task/prompt_contract.h"
#include "text/bpe_trainer.h"

namespace retort::task {
namespace {

using tests::contains;
using tests::error_of;
using Json = nlohmann::json;

std::vector<Tool> token_tools() {
  return {{"alarm_set",
           "",
           {{"type", "object"}, {"properties", {{"time", {{"type", "string"}}}, {"tool", {{"type", "string"}}}}}}},
          {"stop", "", {{"type", "object"}, {"properties", Json::object()}}}};
}

text::Tokenizer tokenizer_for(const PromptContract& contract) {
  return text::Tokenizer::parse(
      text::train_byte_level_bpe({" wake me up at 7", " be brief"},
                                 {.vocabulary_size = 400, .special_tokens = contract.special_tokens()}),
      "the test's tokenizer");
}

std::string shown(const text::Tokenizer& tokenizer, const std::vector<text::TokenId>& ids) {
  return tokenizer.decode(ids, true);
}

Conversation two_turns() {
  Conversation conversation;
  conversation.messages = {{.role = Role::system, .content = "be brief"},
                           {.role = Role::user, .content = "wake me up"},
                           {.role = Role::assistant, .content = "when?"},
                           {.role = Role::user, .content = "at 7"},
                           {.role = Role::assistant, .tool_calls = {{"1", {"alarm_set", {{"time", "7"}}}}}},
                           {.role = Role::tool, .content = R"({"ok":true})", .tool_call_id = "1"}};
  return conversation;
}

TEST(TokenForm, WritesEarlierTurnsCompactly) {
  const PromptContract functional("functional_tokens", token_tools(), {.context = true});
  const text::Tokenizer tokenizer = tokenizer_for(functional);
  EXPECT_EQ(shown(tokenizer, functional.prompt(tokenizer, two_turns())),
            R"(<|system|> be brief<|user|> wake me up<|assistant|><|none|> when?<|end|><|user|> at 7<|assistant|>)"
            R"(<|call:alarm_set|><|time|> 7<|end|><|tool|> {"ok":true}<|assistant|>)");
  const PromptContract json("json", token_tools(), {.context = true});
  const text::Tokenizer json_tokenizer = tokenizer_for(json);
  EXPECT_EQ(shown(json_tokenizer, json.prompt(json_tokenizer, two_turns())),
            R"(<|system|> be brief<|user|> wake me up<|assistant|> when?<|end|><|user|> at 7<|assistant|>)"
            R"({"arguments":{"time":"7"},"name":"alarm_set"}<|end|><|tool|> {"ok":true}<|assistant|>)");
}

TEST(TokenForm, ReadsTheQuestionAgainWhereItIsAsked) {
  const PromptContract contract("functional_tokens", token_tools(), {.context = true, .readings = 2});
  const text::Tokenizer tokenizer = tokenizer_for(contract);
  EXPECT_EQ(shown(tokenizer, contract.prompt(tokenizer, "at 7")), "<|user|> at 7<|user|> at 7<|assistant|>");
  // A tool's result is not a question, and earlier turns are read once.
  EXPECT_EQ(
      shown(tokenizer, contract.prompt(tokenizer, two_turns())),
      shown(tokenizer,
            PromptContract("functional_tokens", token_tools(), {.context = true}).prompt(tokenizer, two_turns())));
  Conversation asked = two_turns();
  asked.messages.push_back({.role = Role::user, .content = "at 8"});
  EXPECT_TRUE(contains(shown(tokenizer, contract.prompt(tokenizer, asked)),
                       R"({"ok":true}<|user|> at 8<|user|> at 8<|assistant|>)"));

  const Json json = contract.to_json();
  EXPECT_EQ(json.at("readings"), 2);
  EXPECT_EQ(PromptContract::from_json(json, "test").prompt(tokenizer, "at 7"), contract.prompt(tokenizer, "at 7"));
  EXPECT_FALSE(PromptContract("functional_tokens", token_tools()).to_json().contains("readings"));
  Json none = json;
  none["readings"] = 0;
  EXPECT_TRUE(contains(error_of([&] { PromptContract::from_json(none, "test"); }), "/readings"));
  EXPECT_TRUE(contains(error_of([] { PromptContract("json", token_tools(), {.readings = 0}); }),
                       "readings: expected at least 1"));
}

TEST(TokenForm, OptionsOfTheGrammarBelongToTheTask) {
  const PromptContract plain("json", token_tools());
  EXPECT_TRUE(plain.grammar().empty());
  EXPECT_FALSE(plain.to_json().contains("grammar"));
  const Json options = {{"values_from_utterance", true}};
  const Json json = plain.with_grammar(options).to_json();
  EXPECT_EQ(json.at("grammar"), options);
  EXPECT_EQ(PromptContract::from_json(json, "test").grammar(), options);
}

TEST(TokenForm, WithoutContextIsWhatItWas) {
  const PromptContract contract("functional_tokens", token_tools());
  const text::Tokenizer tokenizer = tokenizer_for(contract);
  EXPECT_FALSE(tokenizer.find("<|system|>"));
  EXPECT_EQ(shown(tokenizer, contract.prompt(tokenizer, "at 7")), "<|user|> at 7<|assistant|>");
  EXPECT_FALSE(contract.to_json().contains("context"));
  const std::string error = error_of([&] { contract.prompt(tokenizer, two_turns()); });
  EXPECT_TRUE(contains(error, "expected one user message") && contains(error, "6 messages that begin with system"))
      << error;
}

TEST(TokenForm, ArgumentsNeverTakeTheRolesTokens) {
  const PromptContract contract("functional_tokens", token_tools(), {.context = true});
  const text::Tokenizer tokenizer = tokenizer_for(contract);
  const std::vector<Call> calls = {{"alarm_set", {{"tool", "bell"}}}};
  const auto response = contract.response(tokenizer, "a bell", calls);
  EXPECT_EQ(shown(tokenizer, response), "<|call:alarm_set|><|arg:tool|> bell<|end|>");
  EXPECT_EQ(std::get<std::vector<Call>>(contract.parse(tokenizer, response)), calls);
  const PromptContract again = PromptContract::from_json(contract.to_json(), "task");
  EXPECT_EQ(again.special_tokens(), contract.special_tokens());
  EXPECT_EQ(again.to_json(), contract.to_json());
}

TEST(TokenForm, RefusesAConversationThatAsksNothing) {
  const PromptContract contract("json", token_tools(), {.context = true});
  const text::Tokenizer tokenizer = tokenizer_for(contract);
  Conversation answered = two_turns();
  answered.messages.pop_back();
  EXPECT_TRUE(contains(error_of([&] { contract.prompt(tokenizer, answered); }), "message 4 is of the assistant"));
  EXPECT_TRUE(contains(error_of([&] { contract.prompt(tokenizer, Conversation()); }), "found 0 messages"));
}

TEST(TokenForm, ValuesOfTodayDecideWhatIsValid) {
  std::vector<Tool> limited = token_tools();
  limited[0].parameters["properties"]["time"]["enum"] = {"6", "7"};
  const PromptContract contract("functional_tokens", limited);
  const text::Tokenizer tokenizer = tokenizer_for(contract);
  const Conversation asked = conversation_of("at 9");
  const auto response = contract.response(tokenizer, "at 9", {{"alarm_set", {{"time", "9"}}}});
  EXPECT_TRUE(std::holds_alternative<Malformed>(contract.parse(tokenizer, response, asked)));
  const auto today = with_enums(limited, {{"alarm_set", {{"time", {"8", "9"}}, {"nothing", {"x"}}}}, {"absent", {}}});
  EXPECT_TRUE(std::holds_alternative<std::vector<Call>>(contract.parse(tokenizer, response, asked, today)));
  const auto old = contract.response(tokenizer, "at 7", {{"alarm_set", {{"time", "7"}}}});
  EXPECT_TRUE(std::holds_alternative<Malformed>(contract.parse(tokenizer, old, asked, today)));
}

TEST(TokenForm, SaysWhatItDoesNotShow) {
  const PromptContract contract("functional_tokens", token_tools(), {.context = true});
  Conversation conversation = two_turns();
  const Message text{.role = Role::assistant, .content = "done"};
  EXPECT_EQ(contract.losses(conversation, &text), std::vector<std::string>{"text of an answer without calls"});
  conversation.tools = std::make_shared<const std::vector<Tool>>(token_tools());
  EXPECT_TRUE(contract.losses(conversation, nullptr).empty());  // the task's own
  conversation.tools = std::make_shared<const std::vector<Tool>>();
  EXPECT_EQ(contract.losses(conversation, nullptr).size(), 1U);
}

}  // namespace
}  // namespace retort::task
