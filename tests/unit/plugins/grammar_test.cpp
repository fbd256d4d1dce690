// The home's grammar in simple speech: what makes its splits trustworthy. One large sample serves all tests.
#include "grammar.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "call_schema.h"
#include "generate.h"
#include "home.h"
#include "rows.h"
#include "task/dataset.h"
#include "tools.h"

namespace retort::home {
namespace {

constexpr std::int64_t kSample = 20000;

const Grammar& grammar() {
  static const Grammar instance;
  return instance;
}

const std::vector<Utterance>& train() {
  static const std::vector<Utterance> sample = grammar().generate(Split::train, kSample, 1);
  return sample;
}

const std::vector<Utterance>& test() {
  static const std::vector<Utterance> sample = grammar().generate(Split::test, kSample / 4, 1);
  return sample;
}

std::set<std::string> texts(const std::vector<Utterance>& utterances) {
  std::set<std::string> result;
  for (const Utterance& utterance : utterances) result.insert(utterance.text);
  return result;
}

TEST(ChatRow, HasTheTextsOfCallsInLowerCase) {
  const Utterance utterance{
      "Add Milk and Rye to the list",
      nlohmann::json::parse(R"([{"name": "shopping_add", "arguments": {"items": ["Milk", "Rye"]}}])"), "t", "surface"};
  const nlohmann::json row = to_chat_row(utterance);
  EXPECT_EQ(row["messages"][0]["content"], "Add Milk and Rye to the list");
  EXPECT_EQ(row["messages"][1]["tool_calls"][0]["function"]["arguments"], R"({"items":["milk","rye"]})");
  EXPECT_EQ(row["metadata"]["kind"], "surface");
}

TEST(Grammar, GivesTheSameUtterancesForTheSameSeed) {
  const auto first = grammar().generate(Split::train, 300, 7);
  const auto again = Grammar().generate(Split::train, 300, 7);
  const auto other = grammar().generate(Split::train, 300, 8);
  ASSERT_EQ(first.size(), again.size());
  for (std::size_t i = 0; i < first.size(); ++i) EXPECT_EQ(to_chat_row(first[i]), to_chat_row(again[i]));
  EXPECT_NE(texts(first), texts(other));
}

TEST(Grammar, UtterancesAreDistinct) {
  EXPECT_EQ(texts(train()).size(), static_cast<std::size_t>(kSample));
  EXPECT_EQ(texts(test()).size(), static_cast<std::size_t>(kSample / 4));
}

TEST(Grammar, EveryToolHasTrainAndTestTemplates) {
  ASSERT_EQ(grammar().data().tools.size(), tools().size());
  ASSERT_EQ(grammar().data().nones.size(), 1U);
  std::vector<Intent> intents = grammar().data().tools;
  intents.push_back(grammar().data().nones.front());
  for (const Intent& intent : intents) {
    std::size_t held_out = 0;
    for (const ClauseTemplate& one : intent.templates) held_out += one.test_only() ? 1 : 0;
    const std::size_t shared = intent.templates.size() - held_out;
    EXPECT_GE(shared, 12U) << intent.tool;
    EXPECT_GE(held_out * 100, intent.templates.size() * 18) << intent.tool;
    EXPECT_LE(held_out * 100, intent.templates.size() * 30) << intent.tool;
  }
}

TEST(Grammar, NoTemplateOfTestIsUsedElsewhere) {
  std::set<std::string> used;
  for (const Utterance& utterance : train()) {
    for (const std::string& part : stages::template_parts(utterance.template_id)) used.insert(part);
  }
  for (const Utterance& utterance : test()) {
    for (const std::string& part : stages::template_parts(utterance.template_id)) {
      EXPECT_EQ(used.count(part), 0U) << part;
      EXPECT_NE(part.find(".test"), std::string::npos) << part;
    }
  }
}

TEST(Grammar, SplitsShareNoUtterance) {
  stages::SplitsApart apart;
  std::size_t taken = 0;
  for (const char* name : {"train", "validation", "test"})
    grammar().generate(
        split_named(name), split_named(name) == Split::train ? 6000 : 1500, 3, [&](const Utterance& utterance) {
          ++taken;
          apart.take(name, taken, stages::read_generated(name, taken, to_chat_row(utterance)));  // throws when they do
        });
  EXPECT_EQ(taken, 9000U);
}

TEST(Grammar, EveryGoldCallIsValidAndTheHomeCarriesItOut) {
  const call_reward::CallSchema schema(tools());
  for (const auto* sample : {&train(), &test()}) {
    for (const Utterance& utterance : *sample) {
      for (const auto& call : utterance.calls) {
        const auto reason = schema.invalid_reason(call["name"].get<std::string>(), call["arguments"]);
        ASSERT_FALSE(reason.has_value()) << utterance.text << ": " << *reason;
      }
      const Outcome outcome = execute(utterance.calls);
      ASSERT_TRUE(outcome.ok) << utterance.text << ": " << outcome.error;
    }
  }
}

TEST(Grammar, SharesOfNoneAndOfSeveralCallsAreAsStated) {
  const auto shares = [](const std::vector<Utterance>& utterances) {
    std::map<std::size_t, double> share;
    for (const Utterance& utterance : utterances)
      share[utterance.calls.size()] += 1.0 / static_cast<double>(utterances.size());
    return share;
  };
  // Duplicates of short utterances are drawn again, so that those with many calls gain a little.
  const auto expect = [](std::map<std::size_t, double> share, const std::vector<double>& stated) {
    for (std::size_t calls = 0; calls < stated.size(); ++calls)
      EXPECT_NEAR(share[calls], stated[calls], 0.06) << calls << " calls";
  };
  expect(shares(train()), {0.09, 0.38, 0.34, 0.19});
  expect(shares(test()), {0.11, 0.69, 0.17, 0.03});

  std::map<std::string, std::size_t> tool_uses;
  for (const Utterance& utterance : train())
    for (const auto& call : utterance.calls) ++tool_uses[call["name"]];
  EXPECT_EQ(tool_uses.size(), tools().size());
  for (const auto& [tool, uses] : tool_uses) EXPECT_GT(uses, kSample / 100) << tool;
}

TEST(Grammar, SomePairsSpeakOfIt) {
  for (const auto* sample : {&train(), &test()}) {
    std::map<std::string, std::size_t> seconds;
    for (const Utterance& utterance : *sample) {
      if (utterance.template_id.find("+follow.") == std::string::npos) continue;
      ASSERT_EQ(utterance.calls.size(), 2U) << utterance.text;
      EXPECT_NE((" " + utterance.text + " ").find(" it "), std::string::npos) << utterance.text;
      const auto& first = utterance.calls[0]["arguments"];
      const auto& second = utterance.calls[1]["arguments"];
      ++seconds[utterance.calls[1]["name"]];
      if (utterance.calls[0]["name"] != "light_switch") continue;
      EXPECT_EQ(first["state"], "on") << utterance.text;
      EXPECT_EQ(first["room"], second["room"]) << utterance.text;
    }
    EXPECT_EQ(seconds.size(), 4U);
  }
}

TEST(Grammar, FreeTextStandsInTheUtterance) {
  for (const Utterance& utterance : train()) {
    for (const auto& call : utterance.calls) {
      for (const char* argument : {"text", "query", "person", "city", "label"}) {
        if (!call["arguments"].contains(argument)) continue;
        EXPECT_NE(utterance.text.find(call["arguments"][argument].get<std::string>()), std::string::npos)
            << utterance.text;
      }
    }
  }
}

TEST(Grammar, RowsAreWhatDatasetsRead) {
  for (std::size_t i = 0; i < 200; ++i) {
    const task::Example example = task::from_row(to_chat_row(train()[i]));
    EXPECT_EQ(example.utterance(), train()[i].text);
    ASSERT_TRUE(example.calls.has_value());
    EXPECT_EQ(task::calls_to_json(*example.calls), train()[i].calls);
    EXPECT_EQ(example.metadata["template"], train()[i].template_id);
    EXPECT_EQ(example.metadata["kind"], train()[i].kind);
  }
}

TEST(Grammar, RefusesAnUnknownSplit) {
  EXPECT_THROW(split_named("dev"), std::invalid_argument);
}

TEST(ClauseTemplate, RefusesBrokenNotation) {
  for (const char* text : {"turn (on|off the light", "turn on the {color", "turn on) it", "turn on the {gadget}"}) {
    TemplateSource source;
    source.say = text;
    EXPECT_THROW(ClauseTemplate{source}, std::invalid_argument) << text;
  }
}

}  // namespace
}  // namespace retort::home
