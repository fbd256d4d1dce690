// Sampled answers on their way to a reward and an environment of the test.
#include "train/answer_reward.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "host/plugin/plugin_error.h"
#include "policy_fixture.h"
#include "train/rollouts.h"

namespace retort::train {
namespace {

using nlohmann::json;

/// Keeps the items, answers with `verdicts` (one an item; the last one again where there are fewer).
struct FakeReward {
  std::vector<std::string> verdicts = {R"({"scores":{"score":0.5},"reason":""})"};
  json items;
  host::RewardCall call();
};

retort_error* fake_scores(retort_instance*, const retort_text_sink* names) {
  names->write(names->context, host::to_abi(R"([{"name":"score","minimum":0,"maximum":1,"summary":"of the answer"}])"));
  return nullptr;
}

retort_error* fake_score(retort_instance* instance, const retort_reward_batch* batch, const retort_item_sink* scores) {
  FakeReward& fake = *reinterpret_cast<FakeReward*>(instance);
  fake.items = json::parse(host::to_std(batch->items));
  for (std::size_t i = 0; i < fake.items.size(); ++i) {
    const std::string& verdict = fake.verdicts[std::min(i, fake.verdicts.size() - 1)];
    if (!verdict.empty()) scores->item(scores->context, i, host::to_abi(verdict));
  }
  return nullptr;
}

const retort_reward_v1 fake_reward{RETORT_REWARD_V1_SIZE, 0, fake_scores, fake_score};

host::RewardCall FakeReward::call() {
  return {"reward.fake", reinterpret_cast<retort_instance*>(this), fake_reward};
}

/// Counts what it executes; the state is the calls' text.
struct FakeEnvironment {
  std::vector<std::string> executed;
  host::EnvironmentCall call();
};

retort_error* fake_tools(retort_instance*, const retort_text_sink* tools) {
  tools->write(tools->context, host::to_abi("[]"));
  return nullptr;
}

retort_error* fake_start(retort_instance* instance, retort_string, retort_session** out) {
  *out = reinterpret_cast<retort_session*>(instance);
  return nullptr;
}

retort_error* fake_execute(retort_instance* instance, retort_session*, retort_string calls,
                           const retort_text_sink* outcome) {
  const std::string text = host::to_std(calls);
  reinterpret_cast<FakeEnvironment*>(instance)->executed.push_back(text);
  json results = json::array();
  for (std::size_t i = 0; i < json::parse(text).size(); ++i) results.push_back({{"ok", true}, {"content", ""}});
  const std::string answer =
      json{{"ok", true}, {"error", nullptr}, {"results", results}, {"state", std::to_string(text.size())}}.dump();
  outcome->write(outcome->context, host::to_abi(answer));
  return nullptr;
}

void fake_end(retort_instance*, retort_session*) {}

const retort_environment_v1 fake_environment{
    RETORT_ENVIRONMENT_V1_SIZE, 0, fake_tools, nullptr, fake_start, fake_execute, nullptr, fake_end};

host::EnvironmentCall FakeEnvironment::call() {
  return {"environment.fake", reinterpret_cast<retort_instance*>(this), fake_environment};
}

struct Asked {
  task::Example hall{"the hall", std::vector<task::Call>{{"dim", {{"room", "hall"}}}}, json::object()};
  task::Example bath{"the bath", std::vector<task::Call>{{"dim", {{"room", "bath"}}}}, json::object()};
  std::vector<SampledAnswer> answers() const {
    const task::ParsedResponse right = std::vector<task::Call>{{"dim", {{"room", "hall"}}}};
    return {{&hall, 0, right, "one"},
            {&hall, 0, task::Malformed{"cut \xFF"}, "two \xFF"},
            {&hall, 0, right, "three"},
            {&bath, 1, right, "four"},
            {&bath, 1, right, "five"}};
  }
};

TEST(AnswerReward, ExecutesTheReferenceOfAPromptOnce) {
  FakeReward reward;
  FakeEnvironment environment;
  const Asked asked;
  const AnswerReward score(reward.call(), environment.call());
  const auto verdicts = score({}, asked.answers());
  EXPECT_EQ(environment.executed.size(), 5u + 2u);
  ASSERT_EQ(verdicts.size(), 5u);
  EXPECT_EQ(verdicts[4].scores, std::vector<double>{.5});
  EXPECT_EQ(reward.items[3]["messages"], json::parse(R"([{"role":"user","content":"the bath"}])"));
  EXPECT_EQ(reward.items[3]["text"], "four");
  EXPECT_EQ(reward.items[3]["response"]["calls"][0]["arguments"]["room"], "hall");
  EXPECT_EQ(reward.items[3]["reference"]["calls"][0]["arguments"]["room"], "bath");
  EXPECT_EQ(reward.items[3]["reference_execution"], reward.items[4]["reference_execution"]);
}

TEST(AnswerReward, ARolloutOfSeveralTurnsIsJudgedAsAWhole) {
  FakeReward reward;
  FakeEnvironment environment;
  const Asked asked;
  std::vector<SampledAnswer> answers = asked.answers();
  answers.resize(1);
  task::Message call{.role = task::Role::assistant};
  call.tool_calls.push_back({"call_0", {"look", {{"room", "bath"}}}});
  answers[0].turns = {call, {.role = task::Role::tool, .content = "dark", .tool_call_id = "call_0", .name = "look"}};
  answers[0].execution = {{"ok", true}, {"error", nullptr}, {"results", json::array()}, {"state", "whole"}};
  const AnswerReward score(reward.call(), environment.call());
  score({}, answers);
  EXPECT_EQ(environment.executed.size(), 1u) << "the reference alone: the rollout was executed turn by turn";
  ASSERT_EQ(reward.items[0]["messages"].size(), 3u);
  EXPECT_EQ(reward.items[0]["messages"][2]["content"], "dark");
  ASSERT_EQ(reward.items[0]["response"]["calls"].size(), 2u);
  EXPECT_EQ(reward.items[0]["response"]["calls"][0]["name"], "look");
  EXPECT_EQ(reward.items[0]["response"]["calls"][1]["name"], "dim");
  EXPECT_EQ(reward.items[0]["execution"]["state"], "whole");
  answers[0].response = task::Malformed{"cut"};
  score({}, answers);
  EXPECT_EQ(reward.items[0]["response"]["malformed"], "cut");
}

TEST(AnswerReward, BytesThatAreNotUtf8BecomeReplacementCharacters) {
  FakeReward reward;
  const Asked asked;
  const AnswerReward score(reward.call(), std::nullopt);
  score({}, asked.answers());
  EXPECT_EQ(reward.items[1]["text"], "two \xEF\xBF\xBD");
  EXPECT_EQ(reward.items[1]["response"]["malformed"], "cut \xEF\xBF\xBD");
  EXPECT_FALSE(reward.items[1].contains("execution"));
}

TEST(AnswerReward, ErrorsOfARewardNameIt) {
  const Asked asked;
  for (const char* verdict : {R"({"scores":{"score":1.5},"reason":""})", R"({"scores":{},"reason":""})", "{", "",
                              R"({"scores":{"score":-0.1},"reason":""})"}) {
    FakeReward reward;
    reward.verdicts.push_back(verdict);
    const AnswerReward score(reward.call(), std::nullopt);
    try {
      score({}, asked.answers());
      ADD_FAILURE() << verdict << " was accepted";
    } catch (const std::runtime_error& error) {
      EXPECT_NE(std::string(error.what()).find("reward.fake"), std::string::npos) << error.what();
    }
  }
}

TEST(ParseAnswer, BytesThatAreNotUtf8AreMalformed) {
  const testing::Workplace place;
  const CallModule policy = load_call_module(place.policy());
  text::TokenId broken = -1;
  for (text::TokenId id = 0; id < policy.tokenizer.vocabulary_size(); ++id)
    if (policy.tokenizer.token_bytes(id) == "\xE2") broken = id;
  ASSERT_GE(broken, 0);
  const auto response = policy.contract.response(policy.tokenizer, "dim the hall", {{"dim", {{"room", "hall"}}}});
  EXPECT_TRUE(std::holds_alternative<std::vector<task::Call>>(
      parse_answer(policy, response, task::conversation_of("dim the hall"))));
  std::vector<text::TokenId> cut = response;
  cut.insert(cut.end() - 1, broken);
  const task::ParsedResponse parsed = parse_answer(policy, cut, task::conversation_of("dim the hall"));
  ASSERT_TRUE(std::holds_alternative<task::Malformed>(parsed));
  EXPECT_EQ(std::get<task::Malformed>(parsed).reason, "its bytes are not UTF-8");
}

}  // namespace
}  // namespace retort::train
