// The prototype's rejection sampling: with components made for the purpose, then with the home's own.
#include "prototype.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <stdexcept>
#include <string>

#include "function_call.h"
#include "grammar.h"
#include "home.h"
#include "recorded.h"
#include "rules.h"
#include "tools.h"

namespace retort::stages {
namespace {

using nlohmann::json;

PrototypeComponents home_components() {
  auto reward = std::make_shared<call_reward::FunctionCallReward>(call_reward::Scoring{});
  PrototypeComponents components;
  components.complete = [](std::string_view requests) { return rules::complete(requests); };
  components.score = [reward](std::string_view tools, std::string_view items) { return reward->score(tools, items); };
  components.execute = [](std::string_view batches) {
    json outcomes = json::array();
    for (const json& calls : json::parse(batches)) outcomes.push_back(home::to_json(home::execute(calls)));
    return outcomes.dump();
  };
  return components;
}

std::vector<task::Tool> home_tools() {
  return task::tools_from_json(home::tools(), "tools");
}

/// A teacher that answers every request with `message`.
PrototypeComponents always(const json& response) {
  PrototypeComponents components = home_components();
  components.complete = [response](std::string_view requests) {
    return json(std::vector<json>(json::parse(requests).size(), response)).dump();
  };
  return components;
}

json message_with(const char* name, const char* arguments) {
  return {{"message",
           {{"role", "assistant"},
            {"content", nullptr},
            {"tool_calls",
             {{{"id", "1"}, {"type", "function"}, {"function", {{"name", name}, {"arguments", arguments}}}}}}}}};
}

const std::vector<task::Example> kOne = {{"do it", std::nullopt, {{"template", "x"}}}};
const auto kNoProgress = [](std::size_t) {};

TEST(Prototype, KeepsWhatTheRewardAccepts) {
  const Labelled result =
      label(kOne, home_tools(), always(message_with("vacuum_dock", "{}")), PrototypeOptions{}, kNoProgress);
  ASSERT_EQ(result.accepted.size(), 1U);
  EXPECT_EQ(result.accepted[0].calls->front().name, "vacuum_dock");
  EXPECT_EQ(result.accepted[0].metadata["template"], "x");
  EXPECT_TRUE(result.rejected.empty());
}

TEST(Prototype, SaysWhyItRejects) {
  const std::map<std::string, json> responses = {
      {"teacher_error", {{"error", "rate limit"}}},
      {"refused", {{"message", {{"role", "assistant"}, {"content", nullptr}, {"refusal", "cannot"}}}}},
      {"malformed", message_with("vacuum_dock", "{not json")},
      {"execution", message_with("blinds_set", R"({"room":"garage","position":1})")}};
  for (const auto& [kind, response] : responses) {
    const Labelled result = label(kOne, home_tools(), always(response), PrototypeOptions{}, kNoProgress);
    EXPECT_TRUE(result.accepted.empty()) << kind;
    ASSERT_EQ(result.rejected.size(), 1U) << kind;
    EXPECT_EQ(result.rejected[0].line, 1) << kind;
    EXPECT_EQ(result.rejected[0].reason.rfind(kind + ": ", 0), 0U) << result.rejected[0].reason;
    EXPECT_EQ(result.rejected_by.at(kind), 1) << kind;
    EXPECT_EQ(task::from_row(json::parse(result.rejected[0].text)).utterance, "do it");
  }
}

TEST(Prototype, ReplaysAndJudgesAgainstLabels) {
  const std::vector<task::Example> labelled = {{"dock", std::vector<task::Call>{{"vacuum_dock", json::object()}}, {}}};
  PrototypeComponents components = home_components();
  components.complete = [](std::string_view requests) { return recorded::complete(requests); };
  PrototypeOptions options;
  options.reference = true;
  EXPECT_EQ(label(labelled, home_tools(), components, options, kNoProgress).accepted.size(), 1U);
  const PrototypeComponents wrong = always(message_with("music_control", R"({"action":"stop"})"));
  const Labelled result = label(labelled, home_tools(), wrong, options, kNoProgress);
  EXPECT_EQ(result.rejected_by.at("score"), 1);
  EXPECT_EQ(label(labelled, home_tools(), wrong, PrototypeOptions{}, kNoProgress).accepted.size(), 1U);
}

TEST(Prototype, RefusesComponentsThatBreakTheirInterface) {
  for (const char* answer : {"[]", "{}", "nonsense", "[7]", "[{}]"}) {
    PrototypeComponents components = home_components();
    components.complete = [answer](std::string_view) { return std::string(answer); };
    EXPECT_THROW(label(kOne, home_tools(), components, PrototypeOptions{}, kNoProgress), std::runtime_error) << answer;
  }
}

TEST(Prototype, LabelsTheHomeWithRules) {
  std::map<std::string, json> gold;
  std::vector<task::Example> unlabelled;
  for (const home::Utterance& utterance : home::Grammar().generate(home::Split::train, 1500, 21)) {
    gold[utterance.text] = utterance.calls;
    unlabelled.push_back({utterance.text, std::nullopt, {{"template", utterance.template_id}}});
  }
  PrototypeOptions options;
  options.batch_size = 64;
  std::size_t done = 0;
  const Labelled result =
      label(unlabelled, home_tools(), home_components(), options, [&](std::size_t rows) { done = rows; });
  EXPECT_EQ(done, unlabelled.size());
  EXPECT_EQ(result.accepted.size() + result.rejected.size(), unlabelled.size());
  EXPECT_GE(result.accepted.size() * 10, unlabelled.size() * 9);
  EXPECT_GE(result.rejected.size(), 1U);
  std::size_t wrong = 0;
  for (const task::Example& example : result.accepted) {
    wrong += task::calls_to_json(*example.calls) == gold.at(example.utterance) ? 0 : 1;
  }
  EXPECT_LE(wrong * 100, result.accepted.size());
}

}  // namespace
}  // namespace retort::stages
