// The rule teacher: how often it is right, and that what it gets wrong can be caught.
#include "rules.h"

#include <gtest/gtest.h>

#include <string>

#include "grammar.h"
#include "home.h"
#include "tools.h"

namespace retort::rules {
namespace {

using nlohmann::json;

TEST(Rules, AreMostlyRightAndHardlyEverWrongInSilence) {
  constexpr std::int64_t kUtterances = 5000;
  std::int64_t right = 0;
  std::int64_t silent = 0;
  std::string example;
  for (const home::Utterance& utterance : home::Grammar().generate(home::Split::train, kUtterances, 11)) {
    const Answer found = answer(utterance.text);
    if (found.understood && found.calls == utterance.calls) {
      ++right;
    } else if (found.understood && home::execute(found.calls).ok) {
      ++silent;
      example = utterance.text + " -> " + found.calls.dump();
    }
  }
  EXPECT_GE(right * 100, kUtterances * 90);
  EXPECT_LE(right * 100, kUtterances * 99) << "too good to test that wrong answers are caught";
  EXPECT_LE(silent * 100, kUtterances) << example;
}

TEST(Rules, AForgetfulOneLeavesTheLastCallOrTheLastOptionalArgumentOut) {
  const json tools = home::tools();
  std::int64_t utterances = 0, several = 0, forgotten = 0, of_several = 0;
  for (const home::Utterance& utterance : home::Grammar().generate(home::Split::train, 4000, 3)) {
    const json whole = answer(utterance.text).calls, found = forgetful_answer(utterance.text, 0.4, tools).calls;
    EXPECT_EQ(found, forgetful_answer(utterance.text, 0.4, tools).calls);
    EXPECT_EQ(whole, forgetful_answer(utterance.text, 0, tools).calls);
    ++utterances;
    several += whole.size() > 1;
    if (found == whole) continue;
    ++forgotten;
    of_several += whole.size() > 1;
    json less = whole;
    if (whole.size() > 1) {
      less.erase(less.size() - 1);
    } else {
      EXPECT_EQ(found[0]["arguments"].size() + 1, whole[0]["arguments"].size()) << whole;
      less[0]["arguments"] = found[0]["arguments"];
    }
    EXPECT_EQ(found, less);
    EXPECT_TRUE(home::execute(found).ok || !home::execute(whole).ok) << found;  // wrong in silence
  }
  ASSERT_GT(several, 1500);
  // Four standard deviations of a share of 0.4: 4·√(0.24 / 1500) = 0.05.
  EXPECT_NEAR(static_cast<double>(of_several) / static_cast<double>(several), 0.4, 0.05);
  EXPECT_GT(forgotten, of_several + 50);
  EXPECT_LT(forgotten, utterances * 4 / 10 + 80);
}

struct AnswerCase {
  const char* utterance;
  const char* calls;
};

TEST(Rules, ReadRequestsOfTheirOwn) {
  const AnswerCase cases[] = {
      {"Could you turn the kitchen lights off?",
       R"([{"name":"light_switch","arguments":{"room":"kitchen","state":"off"}}])"},
      {"set the lounge lights to 35% and wake me at half past six in the morning on monday",
       R"([{"name":"light_dim","arguments":{"room":"living room","brightness":35}},
           {"name":"alarm_set","arguments":{"time":"06:30","day":"monday"}}])"},
      {"add milk, eggs and oat milk to the shopping list",
       R"([{"name":"shopping_add","arguments":{"items":["milk","eggs","oat milk"]}}])"},
      {"vacuum the hall and the study", R"([{"name":"vacuum_start","arguments":{"rooms":["hallway","office"]}}])"},
      {"turn on the kitchen light and set it to forty percent",
       R"([{"name":"light_switch","arguments":{"room":"kitchen","state":"on"}},
           {"name":"light_dim","arguments":{"room":"kitchen","brightness":40}}])"},
      {"play some jazz, then turn it down to 20 percent",
       R"([{"name":"music_play","arguments":{"query":"jazz"}},
           {"name":"volume_set","arguments":{"device":"music","level":20}}])"},
      {"put the tv on and switch it to channel nine",
       R"([{"name":"appliance_switch","arguments":{"appliance":"television","on":true}},
           {"name":"tv_channel","arguments":{"channel":9}}])"},
      {"tell me a joke", "[]"}};
  for (const AnswerCase& one : cases) {
    const Answer found = answer(one.utterance);
    EXPECT_TRUE(found.understood) << one.utterance;
    EXPECT_EQ(found.calls, json::parse(one.calls)) << one.utterance;
  }
}

TEST(Rules, RefuseWhatTheyCannotReadWhole) {
  for (const char* utterance :
       {"turn on the kitchen lights unless it is sunny", "lock the front door and set it to forty percent", "",
        ",,, and then", "\xff\xfe", "paint the bedroom lights"}) {
    const Answer found = answer(utterance);
    EXPECT_FALSE(found.understood) << utterance;
    EXPECT_TRUE(found.calls.empty()) << utterance;
    EXPECT_FALSE(found.refusal.empty()) << utterance;
  }
}

std::vector<json> items_of(const std::string& requests, double forgets = 0) {
  std::vector<json> items;
  complete(requests, forgets, home::tools().dump(), [&](std::size_t index, const std::string& item) {
    EXPECT_EQ(index, items.size());
    items.push_back(json::parse(item));
  });
  return items;
}

TEST(Rules, AnswerInTheChatForm) {
  const std::vector<json> answers = items_of(R"([
    {"messages": [{"role": "user", "content": "dock the robot"}], "tools": []},
    {"messages": [{"role": "user", "content": "gibberish of no use"}]},
    {"messages": [{"role": "user", "content": "thank you"}]},
    {"messages": []}, 7])");
  ASSERT_EQ(answers.size(), 5U);
  const auto choice = [&](std::size_t i) { return answers[i]["choices"][0]; };
  EXPECT_EQ(choice(0)["message"]["tool_calls"][0]["function"]["name"], "vacuum_dock");
  EXPECT_EQ(choice(0)["message"]["tool_calls"][0]["function"]["arguments"], "{}");
  EXPECT_EQ(choice(0)["finish_reason"], "tool_calls");
  EXPECT_TRUE(choice(1)["message"]["refusal"].is_string());
  EXPECT_EQ(choice(1)["finish_reason"], "stop");
  EXPECT_FALSE(choice(2)["message"].contains("tool_calls"));
  EXPECT_FALSE(choice(2)["message"].contains("refusal"));
  EXPECT_TRUE(answers[3].contains("error"));
  EXPECT_TRUE(answers[4].contains("error"));
  const std::vector<json> several = items_of(R"([
    {"messages": [{"role": "user", "content": "dock the robot"}], "n": 2},
    {"messages": [{"role": "user", "content": "dock the robot"}], "n": 1000}])");
  ASSERT_EQ(several[0]["choices"].size(), 2U);
  EXPECT_EQ(several[0]["choices"][0], several[0]["choices"][1]);
  EXPECT_TRUE(several[1]["error"].is_string());
  const std::vector<json> forgotten = items_of(R"([
    {"messages": [{"role": "user", "content": "dock the robot"}]},
    {"messages": [{"role": "user", "content": "dock the robot and turn the kitchen lights off"}]}])",
                                               1);
  EXPECT_EQ(forgotten[0], answers[0]);
  EXPECT_EQ(forgotten[1]["choices"][0]["message"]["tool_calls"].size(), 1U);
  EXPECT_THROW(items_of("{}"), std::invalid_argument);
  EXPECT_THROW(items_of("nonsense"), std::invalid_argument);
}

}  // namespace
}  // namespace retort::rules
