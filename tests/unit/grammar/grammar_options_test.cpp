// Options of a task as JSON: what was written is read again, and what is wrong is named with its place.
#include "grammar/grammar_options.h"

#include <gtest/gtest.h>

#include "fixtures.h"

namespace retort::grammar {
namespace {

using Json = nlohmann::json;

TEST(GrammarOptionsJson, AreReadAsTheyWereWritten) {
  GrammarOptions all{.values_from_utterance = true, .no_call = false, .most_calls = 2, .ask_back = true};
  all.enums["light_set"]["room"] = {"Kitchen", "Anna's room"};
  for (const GrammarOptions& options : {GrammarOptions{}, all})
    EXPECT_EQ(grammar_options_from_json(to_json(options), "retort.json"), options);
  EXPECT_EQ(to_json(all),
            Json::parse(R"({"values_from_utterance": true, "no_call": false, "most_calls": 2, "ask_back": true,
    "enums": {"light_set": {"room": ["Kitchen", "Anna's room"]}}})"));
  EXPECT_EQ(grammar_options_from_json(Json::object(), "retort.json"), GrammarOptions{});
}

TEST(GrammarOptionsJson, WhatIsWrongIsNamedWithItsPlace) {
  const std::pair<const char*, const char*> cases[] = {
      {"[]", "(the whole document): expected an object"},
      {R"({"values_from_utterances": true})", "/values_from_utterances: expected values_from_utterance, no_call"},
      {R"({"no_call": 1})", "/no_call: expected true or false"},
      {R"({"most_calls": -1})", "/most_calls: expected"},
      {R"({"enums": {"t": {"a": []}}})", "/enums/t/a: expected at least one text"},
      {R"({"enums": {"t": {"a": [1]}}})", "/enums/t/a/0: expected a string"}};
  for (const auto& [text, expected] : cases) {
    const std::string error =
        tests::error_of([&, json = Json::parse(text)] { grammar_options_from_json(json, "retort.json"); });
    EXPECT_TRUE(tests::contains(error, expected)) << expected << "\n" << error;
  }
}

TEST(GrammarOptionsJson, EnumsOfOtherToolsAreLeftOut) {
  GrammarOptions options{.ask_back = true};
  options.enums["mine"]["a"] = {"x"};
  options.enums["other"]["a"] = {"y"};
  const GrammarOptions left = options_for(options, {"mine", "new"});
  EXPECT_TRUE(left.ask_back);
  EXPECT_EQ(to_json(left).at("enums"), Json::parse(R"({"mine": {"a": ["x"]}})"));
}

}  // namespace
}  // namespace retort::grammar
