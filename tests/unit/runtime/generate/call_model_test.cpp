// CallModel: a folder whose answer is known, and folders whose parts are missing or do not belong together.
#include "runtime/generate/call_model.h"

#include <gtest/gtest.h>

#include <fstream>
#include <stdexcept>

#include "host/base/files.h"
#include "host/base/json.h"
#include "markov_model.h"
#include "random_model.h"

namespace retort::runtime {
namespace {

using testing::TemporaryFolder;

// "Ġon" is " on" in the byte-level alphabet.
const std::vector<std::pair<std::string, std::string>> kLightOn{
    {"<|assistant|>", "<|call:light_set|>"}, {"<|call:light_set|>", "<|state|>"}, {"<|state|>", "Ġon"}};

template <class Action>
void expect_invalid(Action action, const std::vector<std::string>& parts) {
  try {
    action();
    ADD_FAILURE() << "accepted; expected an error with '" << parts.front() << "'";
  } catch (const std::exception& error) {
    for (const std::string& part : parts) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  }
}

TEST(CallModel, AnswersWithTheCallThatTheModelWrites) {
  const TemporaryFolder folder;
  testing::write_markov_model(folder.path(), kLightOn);
  CallModel model(folder.path(), {});
  const Answer answer = model.answer("turn the light on");
  ASSERT_TRUE(std::holds_alternative<std::vector<task::Call>>(answer.parsed))
      << std::get<task::Malformed>(answer.parsed).reason;
  const auto& calls = std::get<std::vector<task::Call>>(answer.parsed);
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].name, "light_set");
  EXPECT_EQ(calls[0].arguments, nlohmann::json({{"state", "on"}}));
  EXPECT_EQ(answer.text, "<|call:light_set|><|state|> on<|end|>");
  EXPECT_EQ(answer.tokens.size(), 4u);
  EXPECT_GT(answer.milliseconds, 0.0);
  EXPECT_EQ(model.answer("turn the light on").tokens, answer.tokens);
}

/// Writes "on" whatever is asked, and says that the word "off" of a question is the state, each with a logit of some L
/// = √V where all others are 0, so that ln p of everything else is about −L.
std::vector<std::pair<std::string, std::string>> light_on_but_tagged() {
  auto next = kLightOn;
  next.emplace_back("Ġoff", "<|state|>");
  return next;
}

TEST(CallModel, AnswersByTheTagsOfTheQuestionWhereTheyWeighMore) {
  const TemporaryFolder folder;
  testing::write_markov_model(folder.path(), light_on_but_tagged());
  CallModel model(folder.path(), {});
  EXPECT_EQ(model.grammar_settings().tag_weight, 0);
  const auto text = [&](double weight, const char* question, bool grammar) {
    CallGrammar settings = model.grammar_settings();
    settings.tag_weight = weight;
    settings.on = grammar;
    model.set_grammar(settings);
    return model.answer(question).text;
  };
  const char* on = "<|call:light_set|><|state|> on<|end|>";
  const char* off = "<|call:light_set|><|state|> off<|end|>";
  for (const bool grammar : {false, true}) {
    EXPECT_EQ(text(0, "turn the light off", grammar), on);
    // Writing "off" costs some L and ending behind it another, the tag none under "off" costs L for each of weight.
    EXPECT_EQ(text(0.5, "turn the light off", grammar), on);
    EXPECT_EQ(text(9, "turn the light off", grammar), off);
    EXPECT_EQ(text(9, "turn the light on", grammar), on);  // no tag: the call without its required state is no rival
  }
  // What the tags say is not given where it is longer than asked for.
  CallGrammar settings = model.grammar_settings();
  settings.tag_weight = 9;
  model.set_grammar(settings);
  EXPECT_TRUE(model.answer("turn the light off", 3).cut);
}

TEST(CallModel, TakesTheWeightOfTagsFromItsFolder) {
  const TemporaryFolder folder;
  testing::write_markov_model(folder.path(), light_on_but_tagged());
  nlohmann::json package = host::read_json(folder.path() / "retort.json");
  package["task"]["tag_weight"] = 9;
  host::write_file_atomically(folder.path() / "retort.json", package.dump());
  CallModel model(folder.path(), {});
  EXPECT_EQ(model.grammar_settings().tag_weight, 9);
  EXPECT_EQ(model.answer("turn the light off").text, "<|call:light_set|><|state|> off<|end|>");
  package["task"]["tag_weight"] = "much";
  host::write_file_atomically(folder.path() / "retort.json", package.dump());
  expect_invalid([&] { CallModel(folder.path(), {}); }, {"/task", "/tag_weight: expected a number", "much"});
}

TEST(CallModel, AResponseCutShortIsMalformed) {
  const TemporaryFolder folder;
  testing::write_markov_model(folder.path(), kLightOn);
  CallModel model(folder.path(), {});
  const Answer answer = model.answer("turn the light on", 2);
  EXPECT_EQ(answer.tokens.size(), 2u);
  EXPECT_TRUE(answer.cut);
  EXPECT_TRUE(std::holds_alternative<task::Malformed>(answer.parsed));
}

TEST(CallModel, AResponseThatFillsTheContextIsMalformed) {
  const TemporaryFolder folder;
  testing::write_markov_model(folder.path(), {{"<|assistant|>", "<|state|>"}, {"<|state|>", "<|state|>"}});
  CallModel model(folder.path(), {});
  model.set_grammar({.on = false});
  const Answer answer = model.answer("on");
  EXPECT_EQ(model.decoder().position(), model.decoder().context());
  EXPECT_TRUE(std::holds_alternative<task::Malformed>(answer.parsed));
}

TEST(CallModel, RefusesAnUtteranceLongerThanTheContext) {
  const TemporaryFolder folder;
  testing::write_markov_model(folder.path(), kLightOn);
  CallModel model(folder.path(), {.context = 8});
  expect_invalid([&] { model.answer("zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"); }, {"utterance", "at most 8"});
  EXPECT_EQ(model.answer("on").tokens.size(), 4u);  // and goes on working
}

TEST(CallModel, RefusesConversationsThatItHasNeverSeenAndNamesThem) {
  const TemporaryFolder folder;
  testing::write_markov_model(folder.path(), kLightOn);
  CallModel model(folder.path(), {});
  task::Conversation asked = task::conversation_of("turn the light on");
  EXPECT_EQ(model.answer(asked).text, model.answer("turn the light on").text);
  asked.messages.insert(asked.messages.begin(), {.role = task::Role::system, .content = "be kind"});
  expect_invalid([&] { model.answer(asked); }, {"expected one user message", "2 messages that begin with system"});
  asked.messages.push_back({.role = task::Role::assistant, .content = "done"});
  expect_invalid([&] { model.answer(asked); }, {"message 2 is of the assistant"});
}

TEST(CallModel, NamesWhatAFolderLacks) {
  for (const char* file : {"config.json", "model.safetensors", "tokenizer.json"}) {
    const TemporaryFolder folder;
    testing::write_markov_model(folder.path(), kLightOn);
    std::filesystem::remove(folder.path() / file);
    expect_invalid([&] { CallModel(folder.path(), {}); }, {file});
  }
  const TemporaryFolder folder;
  testing::write_markov_model(folder.path(), kLightOn);
  host::write_file_atomically(folder.path() / "retort.json", "{}");
  expect_invalid([&] { CallModel(folder.path(), {}); }, {"retort.json", "\"task\""});
  std::filesystem::remove(folder.path() / "retort.json");
  expect_invalid([&] { CallModel(folder.path(), {}); }, {"retort.json", "\"task\""});
}

TEST(CallModel, RefusesATokenizerOfAnotherTask) {
  const TemporaryFolder folder;
  testing::write_markov_model(folder.path(), kLightOn);
  std::vector<task::Tool> tools = testing::light_tools();
  tools.front().name = "window_open";
  const task::PromptContract other("functional_tokens", tools);
  host::write_file_atomically(folder.path() / "retort.json", nlohmann::json{{"task", other.to_json()}}.dump());
  expect_invalid([&] { CallModel(folder.path(), {}); }, {"tokenizer.json", "<|call:window_open|>"});
}

TEST(CallModel, RefusesATokenizerLargerThanTheVocabulary) {
  const TemporaryFolder folder;
  testing::write_markov_model(folder.path(), kLightOn);
  const model::ModelConfig config = testing::awkward_config();  // V = 131
  testing::write_model(folder.path(), config, testing::random_weights(config, 1), testing::Storage::f32);
  expect_invalid([&] { CallModel(folder.path(), {}); }, {"tokenizer.json", "131"});
}

}  // namespace
}  // namespace retort::runtime
