// Augmentation: what counts as a value that can be swapped, and what every new example must keep.
#include "augment.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>

#include "fixtures.h"
#include "grammar.h"
#include "tools.h"

namespace retort::stages {
namespace {

using nlohmann::json;

std::vector<task::Tool> tools() {
  return task::tools_from_json(home::tools(), "tools");
}

task::Example example(const std::string& utterance, const char* tool, json arguments) {
  return {utterance, std::vector<task::Call>{{tool, std::move(arguments)}}, json::object()};
}

std::vector<task::Example> corpus() {
  std::vector<task::Example> examples;
  for (const home::Utterance& utterance : home::Grammar().generate(home::Split::train, 800, 5)) {
    examples.push_back({utterance.text, task::calls_from_json(utterance.calls, "calls"), json::object()});
  }
  return examples;
}

TEST(SwapSites, AreFreeTextThatStandsOnceAsWholeWords) {
  const auto sites = swap_sites(
      example("tell anna that i am late", "message_send", {{"person", "anna"}, {"text", "i am late"}}), tools(), false);
  ASSERT_EQ(sites.size(), 2U);
  EXPECT_EQ(sites[0].argument, "person");
  EXPECT_EQ(sites[0].begin, 5U);
  EXPECT_EQ(sites[1].end, 24U);
  // Twice in the utterance; within a longer word; one inside the other.
  EXPECT_TRUE(
      swap_sites(example("tell anna anna is here", "message_send", {{"person", "anna"}}), tools(), false).empty());
  EXPECT_TRUE(swap_sites(example("tell joanna", "message_send", {{"person", "anna"}}), tools(), false).empty());
  EXPECT_TRUE(swap_sites(example("tell ann\xC3\xA9 so", "message_send", {{"person", "ann"}}), tools(), false).empty());
  EXPECT_TRUE(swap_sites(example("text ben call ben", "message_send", {{"text", "call ben"}, {"person", "ben"}}),
                         tools(), false)
                  .size() == 1U);
}

TEST(Augment, RefusesArgumentsThatNoToolHas) {
  const auto refusal = [](const AugmentOptions& options) -> std::string {
    try {
      require_known_arguments(options, tools());
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "";
  };
  AugmentOptions options;
  options.random_arguments = {"text", "persn"};
  EXPECT_EQ(refusal(options),
            "random_arguments: expected the name of an argument of a tool, found \"persn\"; did you mean \"person\"?");
  options.random_arguments = {"text"};
  options.shared_arguments = {"room", "qqqqqqqq"};
  EXPECT_EQ(refusal(options), "shared_arguments: expected the name of an argument of a tool, found \"qqqqqqqq\"");
  options.shared_arguments = {"room"};
  EXPECT_EQ(refusal(options), "");
}

/// Two persons in many rows, a new text in each.
std::vector<task::Example> messages_of_two(int rows) {
  std::vector<task::Example> examples;
  for (int i = 0; i < rows; ++i) {
    const std::string person = i % 2 == 0 ? "anna" : "ben", text = "note " + std::to_string(1000 + i);
    examples.push_back(
        example("tell " + person + " that " + text, "message_send", {{"person", person}, {"text", text}}));
  }
  return examples;
}

TEST(Augment, MadeUpValuesByNoveltyLeaveKnownNamesAlone) {
  AugmentOptions options;
  options.factor = 6;
  options.swap_share = 1;
  options.random_share = 1;
  options.longest_random = 1;
  options.spliced_share = 1;
  options.seed = 5;
  for (const bool by_novelty : {false, true}) {
    options.by_novelty = by_novelty;
    std::set<std::string> persons, texts;
    const auto originals = messages_of_two(40);
    const auto result = augment(originals, tools(), options);
    for (const task::Example& one : result) {
      persons.insert(one.calls->front().arguments.at("person").get<std::string>());
      texts.insert(one.calls->front().arguments.at("text").get<std::string>());
    }
    EXPECT_GT(result.size(), originals.size());
    EXPECT_GT(texts.size(), 40U) << "every text stands once: all of them are made up";
    EXPECT_EQ(persons.size() == 2U, by_novelty) << persons.size();
  }
}

TEST(Augment, ValuesOfAListTakePlacesInTheUtteranceAndTheCallAlike) {
  AugmentOptions options;
  options.factor = 3;
  options.swap_share = 1;
  options.listed_share = 1;
  options.value_lists = {{"person", {"never said"}}, {"message_send.person", {"zo\xC3\xAB", "mr. o'neil"}}};
  options.seed = 5;
  const auto originals = messages_of_two(40);
  const auto result = augment(originals, tools(), options);
  ASSERT_GT(result.size(), originals.size());
  std::set<std::string> persons;
  for (std::size_t i = originals.size(); i < result.size(); ++i) {
    const json& arguments = result[i].calls->front().arguments;
    persons.insert(arguments.at("person").get<std::string>());
    EXPECT_EQ(result[i].utterance(),
              "tell " + arguments.at("person").get<std::string>() + " that " + arguments.at("text").get<std::string>());
    EXPECT_EQ(arguments.at("text").get<std::string>().substr(0, 4), "note") << "no list of texts";
  }
  EXPECT_EQ(persons, (std::set<std::string>{"zo\xC3\xAB", "mr. o'neil"}));
  options.listed_share = 0;
  for (const task::Example& one : augment(originals, tools(), options)) {
    EXPECT_NE(one.calls->front().arguments.at("person"), "never said");
  }
}

class ValueListFolder : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder_.path() / name, std::ios::binary) << text;
  }
  std::string refusal() const {
    try {
      read_value_lists(folder_.path(), tools());
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "";
  }
  tests::TemporaryFolder folder_;
};

TEST_F(ValueListFolder, IsReadLineByLineOnce) {
  write("person.txt", "\xEF\xBB\xBF  anna \r\n\r\nben\nanna\n");
  write("message_send.text.txt", "on my way\n");
  write("README.md", "where these came from");
  const ValueLists lists = read_value_lists(folder_.path(), tools());
  ASSERT_EQ(lists.size(), 2U);
  EXPECT_EQ(*list_of(lists, "message_send", "person"), (std::vector<std::string>{"anna", "ben"}));
  EXPECT_EQ(*list_of(lists, "message_send", "text"), (std::vector<std::string>{"on my way"}));
  EXPECT_EQ(list_of(lists, "list_add", "text"), nullptr) << "a tool's own list";
}

TEST_F(ValueListFolder, IsRefusedByFileAndReason) {
  EXPECT_NE(refusal().find("expected files ARGUMENT.txt"), std::string::npos) << refusal();
  write("persn.txt", "anna\n");
  EXPECT_NE(refusal().find("persn.txt: expected a file named after an argument of a tool, found \"persn\"; did you "
                           "mean \"person\"?"),
            std::string::npos)
      << refusal();
  std::filesystem::remove(folder_.path() / "persn.txt");
  write("person.txt", " \n\n");
  EXPECT_NE(refusal().find("person.txt: expected a value a line, found none"), std::string::npos) << refusal();
  write("person.txt", "anna\nzo\xEB\n");
  EXPECT_NE(refusal().find("person.txt:2: expected UTF-8"), std::string::npos) << refusal();
}

TEST(Augment, AStarSharesTheValuesOfEveryName) {
  const json parameters = {{"type", "object"}, {"properties", {{"name", {{"type", "string"}}}}}};
  const std::vector<task::Tool> two = {{"call", "", parameters}, {"greet", "", parameters}};
  const std::vector<task::Example> originals = {example("call anna", "call", {{"name", "anna"}}),
                                                example("greet ben", "greet", {{"name", "ben"}})};
  AugmentOptions options;
  options.factor = 2;
  EXPECT_EQ(augment(originals, two, options).size(), 2U) << "one value for each tool: nothing to swap";
  options.shared_arguments = {"*"};
  require_known_arguments(options, two);
  EXPECT_EQ(augment(originals, two, options).size(), 4U);
}

TEST(SwapSites, LeaveClosedValuesAloneUnlessAsked) {
  const auto fan = example("set the office fan to low", "fan_set", {{"room", "office"}, {"speed", "low"}});
  EXPECT_TRUE(swap_sites(fan, tools(), false).empty());
  EXPECT_EQ(swap_sites(fan, tools(), true).size(), 2U);
  const auto list = example("add milk and eggs to the list", "shopping_add", {{"items", {"milk", "eggs"}}});
  ASSERT_EQ(swap_sites(list, tools(), false).size(), 2U);
  EXPECT_EQ(swap_sites(list, tools(), false)[1].item, 1);
}

TEST(Augment, KeepsOriginalsAndMakesDistinctValidExamples) {
  const auto originals = corpus();
  AugmentOptions options;
  options.factor = 1.5;
  options.seed = 3;
  const auto result = augment(originals, tools(), options);
  ASSERT_EQ(result.size(), originals.size() * 3 / 2);
  std::set<std::string> utterances;
  for (std::size_t i = 0; i < result.size(); ++i) {
    EXPECT_TRUE(utterances.insert(result[i].utterance()).second) << result[i].utterance();
    EXPECT_EQ(result[i].metadata.contains("augmented"), i >= originals.size());
    if (i < originals.size()) {
      EXPECT_EQ(result[i].utterance(), originals[i].utterance());
      EXPECT_EQ(*result[i].calls, *originals[i].calls);
    }
    for (const task::Call& call : *result[i].calls) {
      const auto reason = task::invalid_reason(call, tools());
      EXPECT_FALSE(reason.has_value()) << *reason;
    }
  }
  const auto again = augment(originals, tools(), options);
  ASSERT_EQ(again.size(), result.size());
  EXPECT_EQ(again.back().utterance(), result.back().utterance());
}

TEST(Augment, SwapsUtteranceAndCallAlike) {
  const std::vector<task::Example> originals = {
      example("tell anna that dinner is ready", "message_send", {{"person", "anna"}, {"text", "dinner is ready"}}),
      example("message tom see you", "message_send", {{"person", "tom"}, {"text", "see you"}})};
  AugmentOptions options;
  options.factor = 4;
  const auto result = augment(originals, tools(), options);
  ASSERT_EQ(result.size(), 8U);  // two wordings, two persons, two texts: all there are
  const std::vector<task::Example> held_out = {example("tell tom that see you", "message_send", json::object())};
  EXPECT_EQ(augment(originals, tools(), options, held_out).size(), 7U);
  for (const task::Example& one : result) {
    const json& arguments = one.calls->front().arguments;
    const std::string person = arguments["person"];
    const std::string text = arguments["text"];
    const bool first = one.utterance() == "tell " + person + " that " + text;
    const bool second = one.utterance() == "message " + person + " " + text;
    EXPECT_TRUE(first != second) << one.utterance();
  }
}

TEST(Augment, RandomWordsStandInTheUtteranceToo) {
  const auto originals = corpus();
  AugmentOptions options;
  options.factor = 1.5;
  options.random_share = 1.0;
  const auto result = augment(originals, tools(), options);
  ASSERT_GT(result.size(), originals.size());
  for (std::size_t i = originals.size(); i < result.size(); ++i) {
    for (const task::Call& call : *result[i].calls) {
      for (const char* argument : {"text", "query", "person", "city", "label"}) {
        if (!call.arguments.contains(argument)) continue;
        EXPECT_NE(result[i].utterance().find(call.arguments[argument].get<std::string>()), std::string::npos)
            << result[i].utterance();
      }
    }
  }
}

TEST(Augment, OwnWordsComeFromValuesOfTheSameArgument) {
  const std::vector<task::Example> originals = {
      example("tell anna bell that dinner is ready", "message_send",
              {{"person", "anna bell"}, {"text", "dinner is ready"}}),
      example("message tom sawyer see you", "message_send", {{"person", "tom sawyer"}, {"text", "see you"}})};
  AugmentOptions options;
  options.factor = 20;
  options.random_share = 1.0;
  options.own_words_share = 1.0;
  options.random_arguments = {"person"};
  const std::set<std::string> names = {"anna", "bell", "tom", "sawyer"};
  std::set<std::string> persons;
  for (const task::Example& one : augment(originals, tools(), options)) {
    std::istringstream words(one.calls->front().arguments["person"].get<std::string>());
    for (std::string word; words >> word;) EXPECT_TRUE(names.contains(word)) << one.utterance();
    persons.insert(words.str());
  }
  EXPECT_GT(persons.size(), 4U);
  options.own_words_share = 0;
  std::set<std::string> foreign;
  for (const task::Example& one : augment(originals, tools(), options)) {
    std::istringstream words(one.calls->front().arguments["person"].get<std::string>());
    for (std::string word; words >> word;)
      if (!names.contains(word)) foreign.insert(word);
  }
  EXPECT_FALSE(foreign.empty());
}

TEST(Augment, ToolsDrawSharedArgumentsFromEachOther) {
  const auto tool = [](const char* name, const json& properties) {
    return json{{"type", "function"},
                {"function", {{"name", name}, {"parameters", {{"type", "object"}, {"properties", properties}}}}}};
  };
  const std::vector<task::Tool> phone = task::tools_from_json(
      json::array({tool("message_send", {{"person", {{"type", "string"}}}, {"text", {{"enum", {"dinner is ready"}}}}}),
                   tool("call_start", {{"person", {{"type", "string"}}}})}),
      "tools");
  const std::vector<task::Example> originals = {
      example("tell anna that dinner is ready", "message_send", {{"person", "anna"}, {"text", "dinner is ready"}}),
      example("call tom", "call_start", {{"person", "tom"}})};
  AugmentOptions options;
  options.factor = 20;
  EXPECT_EQ(augment(originals, phone, options).size(), 2U);  // each tool has one value only
  options.shared_arguments = {"person"};
  std::set<std::string> utterances;
  for (const task::Example& one : augment(originals, phone, options)) utterances.insert(one.utterance());
  EXPECT_EQ(utterances, (std::set<std::string>{"tell anna that dinner is ready", "tell tom that dinner is ready",
                                               "call tom", "call anna"}));
}

TEST(Augment, AddsNothingWhereNothingCanBeSwapped) {
  AugmentOptions options;
  options.factor = 3;
  const std::vector<task::Example> unlabelled = {{"turn it on", std::nullopt, json::object()}};
  EXPECT_EQ(augment(unlabelled, tools(), options).size(), 1U);
  EXPECT_TRUE(augment({}, tools(), options).empty());
}

}  // namespace
}  // namespace retort::stages
