// The reward for calls. Golden numbers are worked out by hand beside each case.
#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "call_schema.h"
#include "function_call.h"
#include "similarity.h"

namespace retort::call_reward {
namespace {

using nlohmann::json;

json tools() {
  return json::parse(R"([
    {"type":"function","function":{"name":"say","parameters":{"type":"object","properties":
      {"person":{"type":"string"},"text":{"type":"string","pattern":"^[a-z ]*$"}},"required":["person"]}}},
    {"type":"function","function":{"name":"dim","parameters":{"type":"object","properties":
      {"room":{"enum":["kitchen","hall"]},"level":{"type":"integer","minimum":0,"maximum":100},
       "tags":{"type":"array","items":{"type":"string"}}}}}},
    {"type":"function","function":{"name":"stop"}}])");
}

double of_calls(const char* left, const char* right) {
  return calls_similarity(json::parse(left), json::parse(right), {});
}

TEST(RougeL, IsF1OfTheLongestCommonSubsequence) {
  EXPECT_DOUBLE_EQ(rouge_l("the cat sat", "the cat on"), 2.0 * 2 / 6);
  EXPECT_DOUBLE_EQ(rouge_l("police killed the gunman", "police kill the gunman"), 2.0 * 3 / 8);  // Lin 2004, S2
  EXPECT_DOUBLE_EQ(rouge_l("police killed the gunman", "the gunman kill police"), 2.0 * 2 / 8);  // Lin 2004, S3
  EXPECT_DOUBLE_EQ(rouge_l("a b", ""), 0.0);
  EXPECT_DOUBLE_EQ(rouge_l(" ", ""), 1.0);
}

TEST(Similarity, OfOneCall) {
  // One of two arguments equal: 1/2.
  EXPECT_DOUBLE_EQ(of_calls(R"([{"name":"dim","arguments":{"room":"hall","level":40}}])",
                            R"([{"name":"dim","arguments":{"room":"hall","level":50}}])"),
                   0.5);
  // One shared argument, two in the union: 1/2.
  EXPECT_DOUBLE_EQ(of_calls(R"([{"name":"dim","arguments":{"room":"hall"}}])",
                            R"([{"name":"dim","arguments":{"room":"hall","level":50}}])"),
                   0.5);
  // person equal; "call the dentist" and "call mom": LCS 1, 2·1/(3+2) = 0.4: (1 + 0.4)/2.
  EXPECT_DOUBLE_EQ(of_calls(R"([{"name":"say","arguments":{"person":"ann","text":"call the dentist"}}])",
                            R"([{"name":"say","arguments":{"person":"ann","text":"call mom"}}])"),
                   0.7);
  // Lists are equal or not.
  EXPECT_DOUBLE_EQ(
      of_calls(R"([{"name":"dim","arguments":{"tags":["a","b"]}}])", R"([{"name":"dim","arguments":{"tags":["a"]}}])"),
      0.0);
  EXPECT_DOUBLE_EQ(of_calls(R"([{"name":"stop","arguments":{}}])", R"([{"name":"stop","arguments":{}}])"), 1.0);
}

TEST(Similarity, OfSeveralCalls) {
  const std::string stop = R"({"name":"stop","arguments":{}})";
  const std::string hall = R"({"name":"dim","arguments":{"room":"hall"}})";
  const std::string half = R"({"name":"dim","arguments":{"room":"hall","level":1}})";
  const auto list = [](std::initializer_list<std::string> calls) {
    std::string text;
    for (const std::string& call : calls) text += (text.empty() ? "[" : ",") + call;
    return text.empty() ? std::string("[]") : text + "]";
  };
  EXPECT_DOUBLE_EQ(of_calls(list({stop, hall}).c_str(), list({stop}).c_str()), 1.0 / 2);
  EXPECT_DOUBLE_EQ(of_calls(list({stop, hall}).c_str(), list({hall, stop}).c_str()), 1.0 / 3);  // one pair keeps order
  EXPECT_DOUBLE_EQ(of_calls(list({stop, hall}).c_str(), list({stop, half}).c_str()), 1.5 / 2);
  EXPECT_DOUBLE_EQ(of_calls(list({hall, half}).c_str(), list({half}).c_str()), 1.0 / 2);  // the better of two pairings
  EXPECT_DOUBLE_EQ(of_calls("[]", "[]"), 1.0);
  EXPECT_DOUBLE_EQ(of_calls("[]", list({stop}).c_str()), 0.0);
}

TEST(Similarity, ANameCanEarnAShare) {
  const json left = json::parse(R"([{"name":"dim","arguments":{"level":1}}])");
  const json right = json::parse(R"([{"name":"dim","arguments":{"level":2}}])");
  EXPECT_DOUBLE_EQ(calls_similarity(left, right, {0.25}), 0.25);
}

std::vector<json> items_of(FunctionCallReward& reward, const std::string& tools_text, const std::string& items) {
  std::vector<json> scores;
  reward.score(tools_text, items, [&](std::size_t index, const std::string& item) {
    EXPECT_EQ(index, scores.size());
    scores.push_back(json::parse(item));
  });
  return scores;
}

struct ScoreCase {
  const char* item;
  double score;  ///< -1: malformed, with the score 0
  const char* reason;
};

TEST(FunctionCallReward, AppliesItsRulesInOrder) {
  const ScoreCase cases[] = {
      {R"({"response":{"malformed":"cut short"}})", -1, "cut short"},
      {R"({})", -1, "no response"},
      {R"({"response":{"calls":[7]}})", -1, "expected"},
      {R"({"response":{"calls":[{"name":"fly","arguments":{}}]},"reference":{"calls":[]}})", -1,
       "unknown tool \"fly\""},
      {R"({"response":{"calls":[{"name":"stop","arguments":{"now":1}}]}})", -1, "unknown argument \"now\""},
      {R"({"response":{"calls":[{"name":"dim","arguments":{"level":101}}]}})", -1, "level"},
      {R"({"response":{"calls":[{"name":"say","arguments":{"text":"a"}}]}})", -1, "person"},
      {R"({"response":{"calls":[{"name":"say","arguments":{"person":"a","text":"A"}}]}})", -1, "text"},
      {R"({"response":{"calls":[{"name":"stop","arguments":{}}]},"execution":{"ok":false,"error":"stuck"},
           "reference":{"calls":[{"name":"stop","arguments":{}}]}})",
       0, "stuck"},
      {R"({"response":{"calls":[{"name":"stop","arguments":{}}]},"execution":{"ok":true,"state":"1"}})", 1, ""},
      {R"({"response":{"calls":[{"name":"dim","arguments":{"level":5.0}}]},
           "reference":{"calls":[{"name":"dim","arguments":{"level":5}}]}})",
       1, ""},
      {R"({"response":{"calls":[]},"reference":{"calls":[]}})", 1, ""},
      {R"({"response":{"calls":[]},"reference":{"calls":[{"name":"stop","arguments":{}}]}})", 0, "expected"},
      {R"({"response":{"calls":[{"name":"say","arguments":{"person":"a  b"}}]},
           "reference":{"calls":[{"name":"say","arguments":{"person":"a b"}}]}})",
       0.99, "expected"},
      {R"({"response":{"calls":[{"name":"stop","arguments":{}}]},"execution":{"ok":true,"state":"1"},
           "reference":{"calls":[{"name":"stop","arguments":{}}]},"reference_execution":{"ok":true,"state":"2"}})",
       0.9, "another state"}};
  FunctionCallReward reward(Scoring{});
  for (const ScoreCase& one : cases) {
    const std::vector<json> scores = items_of(reward, tools().dump(), "[" + std::string(one.item) + "]");
    ASSERT_EQ(scores.size(), 1U);
    EXPECT_EQ(scores[0].value("malformed", false), one.score == -1) << one.item;
    EXPECT_DOUBLE_EQ(scores[0]["scores"]["score"].get<double>(), std::max(one.score, 0.0)) << one.item;
    const std::string reason = scores[0]["reason"];
    EXPECT_NE(reason.find(one.reason), std::string::npos) << one.item << ": " << reason;
    EXPECT_EQ(reason.empty(), one.score == 1.0) << one.item;
  }
}

TEST(FunctionCallReward, RefusesBadToolsAndItems) {
  FunctionCallReward reward(Scoring{});
  EXPECT_THROW(items_of(reward, "[", "[]"), std::invalid_argument);
  EXPECT_THROW(items_of(reward, "[{}]", "[]"), std::invalid_argument);
  EXPECT_THROW(items_of(reward, tools().dump(), "{}"), std::invalid_argument);
  EXPECT_TRUE(items_of(reward, "[]", "[]").empty());
}

TEST(FunctionCallReward, AnItemThatCannotBeReadIsItsOwnError) {
  FunctionCallReward reward(Scoring{});
  const std::string stop = R"({"response":{"calls":[{"name":"stop","arguments":{}}]})";
  const auto scores = items_of(reward, tools().dump(), "[7," + stop + R"(,"tools":7},)" + stop + "}]");
  ASSERT_EQ(scores.size(), 3U);
  EXPECT_TRUE(scores[0]["error"].is_string());
  EXPECT_TRUE(scores[1]["error"].is_string());
  EXPECT_EQ(scores[2]["scores"]["score"], 1.0);
}

TEST(FunctionCallReward, AnItemsOwnToolsComeFirst) {
  FunctionCallReward reward(Scoring{});
  const std::string item =
      R"({"response":{"calls":[{"name":"fly","arguments":{}}]},"tools":[{"type":"function","function":{"name":"fly"}}]})";
  EXPECT_EQ(items_of(reward, tools().dump(), "[" + item + "]").at(0)["scores"]["score"], 1.0);
}

TEST(CallSchema, NamesWhatItRefuses) {
  EXPECT_THROW(CallSchema(json::parse(R"([{"function":{"name":"a","parameters":{"type":7}}}])")),
               std::invalid_argument);
  EXPECT_THROW(CallSchema(json::parse(R"([{"function":{"name":"a"}},{"function":{"name":"a"}}])")),
               std::invalid_argument);
  const CallSchema schema(tools());
  const std::string long_text(1000000, 'a');  // must not exhaust the stack in the pattern
  EXPECT_FALSE(schema.invalid_reason("say", {{"person", "a"}, {"text", long_text}}).has_value());
  EXPECT_TRUE(schema.invalid_reason("say", json::array()).has_value());
}

}  // namespace
}  // namespace retort::call_reward
