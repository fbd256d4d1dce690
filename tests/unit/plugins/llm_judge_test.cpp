// reward.llm_judge: what it makes of judgements, through its own functions and through the ABI with a scripted teacher.
#include "llm_judge.h"

#include <gtest/gtest.h>
#include <retort/abi/teacher.h>

#include <filesystem>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "host/algorithm/reward_call.h"
#include "host/plugin/plugin_error.h"
#include "host/plugin/plugin_library.h"
#include "verdict.h"

namespace retort::llm_judge {
namespace {

using nlohmann::json;

TEST(Verdict, ReadsNumbersAloneAndInJson) {
  const std::pair<const char*, double> cases[] = {
      {"0.7", 0.7},
      {" 1\n", 1.0},
      {"Score: 0.25.", 0.25},
      {".5", 0.5},
      {"1e-2", 0.01},
      {R"({"score": 0.4, "reason": "late"})", 0.4},
      {"```json\n{\"score\": 1}\n```", 1.0},
      {R"(It has 3 calls {of 2}. {"score": 0.1} no, rather {"reason": "a } in text", "score": 0.9})", 0.9}};
  for (const auto& [text, score] : cases) {
    const Verdict verdict = read_verdict(text);
    EXPECT_TRUE(verdict.malformed.empty()) << text << ": " << verdict.malformed;
    EXPECT_DOUBLE_EQ(verdict.score, score) << text;
  }
  EXPECT_EQ(read_verdict(R"({"score": 0.4, "reason": "late"})").reason, "late");
}

TEST(Verdict, RefusesWhatIsNoScore) {
  for (const char* text : {"", "good", "7/10", "7", "-0.1", "1.01", R"({"score": "high"})", R"({"score": 2})",
                           R"({"score": null})", R"({"grade": 1, "of": 10})", "{", "between 0.3 and 0.5", "1.2.3"}) {
    EXPECT_FALSE(read_verdict(text).malformed.empty()) << text;
  }
  EXPECT_FALSE(read_verdict(std::string(1000000, '{')).malformed.empty());  // and soon
}

TEST(Prompt, PutsThePartsIn) {
  const json item = json::parse(R"({"messages": [{"role": "user", "content": "stop {answer}"}], "text": "ok",
    "response": {"calls": [{"name": "stop", "arguments": {}}]}, "reference": {"calls": []}})");
  EXPECT_EQ(
      Prompt("{conversation}|{answer}|{reference}|{execution}|{tools}|{\"score\": 1}{x").fill(item, json::array()),
      R"(user: stop {answer}|[{"arguments":{},"name":"stop"}]|[]|was not tried|[]|{"score": 1}{x)");
  EXPECT_EQ(Prompt("{tools}{answer}").fill({{"text", "hm"}, {"tools", 7}}, json::array()), "7hm");
  EXPECT_NO_THROW(Prompt{default_prompt()});
  EXPECT_THROW(Prompt("{answr}{answer}"), std::invalid_argument);
  EXPECT_THROW(Prompt("how good is it?"), std::invalid_argument);
}

const char* const item_text = R"({"messages":[{"role":"user","content":"stop"}],"text":"[stop()]",
  "response":{"calls":[{"name":"stop","arguments":{}}]}})";

json choices(const std::vector<std::string>& texts) {
  json item = {{"choices", json::array()}};
  for (const std::string& text : texts)
    item["choices"].push_back({{"message", {{"role", "assistant"}, {"content", text}}}, {"finish_reason", "stop"}});
  return item;
}

/// A judge that gives `answers`, last first; a null is not given.
LlmJudge::Ask judge_of(const std::vector<json>& answers) {
  return [answers](const std::string& requests, std::size_t count, const auto& answered) {
    EXPECT_EQ(json::parse(requests).size(), count);
    EXPECT_EQ(count, answers.size());
    for (std::size_t i = answers.size(); i-- > 0;)
      if (!answers[i].is_null()) answered(i, answers[i].dump());
  };
}

std::map<std::size_t, json> judged_by(const JudgeOptions& options, const std::string& items,
                                      const std::vector<LlmJudge::Ask>& judges) {
  std::map<std::size_t, json> scores;
  LlmJudge(options).score("[]", items, judges, [&](std::size_t index, const std::string& item) {
    EXPECT_TRUE(scores.emplace(index, json::parse(item)).second);
  });
  return scores;
}

/// The reward's items when the teacher gives `answers`, last first.
std::map<std::size_t, json> judged(const JudgeOptions& options, const std::string& items,
                                   const std::vector<json>& answers) {
  return judged_by(options, items, {judge_of(answers)});
}

std::string list(std::size_t count) {
  std::string items = "[";
  for (std::size_t i = 0; i < count; ++i) items += (i == 0 ? "" : ",") + std::string(item_text);
  return items + "]";
}

TEST(LlmJudge, SeveralJudgesCountAlikeAndMustNotDifferTooMuch) {
  JudgeOptions options;
  options.most_spread = 0.5;
  const json away = {{"error", "away"}};
  const auto scores = judged_by(options, list(5),
                                {judge_of({choices({"1"}), choices({"1"}), choices({"0.8"}), away, json()}),
                                 judge_of({choices({"0.5"}), choices({"0.2"}), away, away, json()})});
  EXPECT_DOUBLE_EQ(scores.at(0)["scores"]["score"].get<double>(), 0.75);
  EXPECT_DOUBLE_EQ(scores.at(0)["scores"]["spread"].get<double>(), 0.5);
  EXPECT_EQ(scores.at(1)["error"], "the judges disagree: their scores differ by 0.8, expected at most 0.5");
  EXPECT_DOUBLE_EQ(scores.at(2)["scores"]["score"].get<double>(), 0.8);  // of those who answered
  EXPECT_EQ(scores.at(3)["error"], "the judge: away");
  EXPECT_EQ(scores.at(4)["error"], "the judge gave no answer");
}

TEST(LlmJudge, AveragesTheSamplesThatCanBeRead) {
  const auto scores =
      judged({"", 3, 0.7, 256}, list(2),
             {choices({R"({"score": 0.2, "reason": "wrong room"})", "nonsense", "0.6"}), choices({"1", "1", "1"})});
  EXPECT_DOUBLE_EQ(scores.at(0)["scores"]["score"].get<double>(), 0.4);
  EXPECT_DOUBLE_EQ(scores.at(0)["scores"]["spread"].get<double>(), 0.6 - 0.2);
  EXPECT_EQ(scores.at(0)["reason"], "wrong room");
  EXPECT_EQ(scores.at(1)["scores"], (json{{"score", 1.0}, {"spread", 0.0}}));
  EXPECT_EQ(scores.at(1)["reason"], "");
}

TEST(LlmJudge, JudgementsThatCannotBeReadAreErrorsOfTheirItems) {
  json refused = choices({""});
  refused["choices"][0]["message"] = {{"role", "assistant"}, {"content", nullptr}, {"refusal", "I will not"}};
  const std::vector<json> answers = {choices({"nonsense"}), {{"error", "rate limit"}}, 7, json::object(), refused,
                                     choices({"0.5"})};
  const auto scores = judged({"", 1, 0, 256}, list(answers.size()), answers);
  const char* const reasons[] = {"alone or as JSON", "rate limit", "no object", "no choices", "I will not"};
  for (std::size_t i = 0; i < 5; ++i)
    EXPECT_NE(scores.at(i)["error"].get<std::string>().find(reasons[i]), std::string::npos) << scores.at(i);
  EXPECT_EQ(scores.at(5)["scores"]["score"], 0.5);
  EXPECT_EQ(scores.at(5)["reason"], "the judge gave 0.5");
}

TEST(LlmJudge, DoesNotAskAboutAnswersThatAreNone) {
  const auto scores = judged({"", 1, 0, 256}, R"([{"response":{"malformed":"cut off"}}, 7, {}])", {});
  EXPECT_EQ(scores.at(0),
            (json{{"malformed", true}, {"scores", {{"score", 0.0}, {"spread", 0.0}}}, {"reason", "cut off"}}));
  EXPECT_TRUE(scores.at(1)["error"].is_string());
  EXPECT_TRUE(scores.at(2)["error"].is_string());
}

TEST(LlmJudge, RefusesOptionsWithoutSense) {
  EXPECT_THROW(LlmJudge({"", 3, 0.0, 256}), std::invalid_argument);
  EXPECT_THROW(LlmJudge({"{who}", 1, 0.0, 256}), std::invalid_argument);
  EXPECT_THROW(judged({"", 1, 0, 256}, "{}", {}), std::invalid_argument);
}

/// A teacher that keeps what it is asked and gives half a point to each.
struct ScriptedTeacher {
  std::string asked;
  std::uint64_t missing = 0;  ///< of the last requests: no item comes
};

retort_error* complete(retort_instance* instance, const retort_teacher_batch* batch, const retort_item_sink* sink) {
  auto& teacher = *reinterpret_cast<ScriptedTeacher*>(instance);
  teacher.asked = host::to_std(batch->requests);
  const std::string item = choices({"0.5"}).dump();
  for (std::uint64_t i = 0; i + teacher.missing < json::parse(teacher.asked).size(); ++i)
    sink->item(sink->context, i, host::to_abi(item));
  return nullptr;
}
constexpr retort_teacher_v1 scripted_table{RETORT_TEACHER_V1_SIZE, 0, &complete, nullptr};

std::vector<host::RewardItem> scored_through_abi(const retort_bound_component* teacher, const std::string& items,
                                                 std::size_t count) {
  const std::filesystem::path file(LLM_JUDGE_PLUGIN);
  const host::PluginLibrary& library = host::loaded_plugin(file);
  const retort_create_arguments arguments{sizeof(retort_create_arguments), 0, nullptr, 0, teacher,
                                          teacher == nullptr ? 0U : 1U};
  retort_instance* instance = nullptr;
  host::throw_if_error(library.entry().create(&arguments, &instance), "create()");
  const auto destroy = [&](retort_instance* made) { library.entry().destroy(made); };
  const std::unique_ptr<retort_instance, decltype(destroy)> owner(instance, destroy);
  const void* table = library.entry().get_interface(instance, host::to_abi(RETORT_REWARD_INTERFACE));
  const host::RewardCall reward("reward.llm_judge", instance, *static_cast<const retort_reward_v1*>(table));
  EXPECT_EQ(reward.names().at(0).name, "score");
  std::vector<host::RewardItem> all(count);
  reward.score("[]", items, count, [&](std::size_t index, host::RewardItem item) { all[index] = std::move(item); });
  return all;
}

TEST(LlmJudge, UsesTheTeacherInItsSlot) {
  ScriptedTeacher teacher;
  const retort_bound_component slot{sizeof(retort_bound_component),
                                    0,
                                    host::to_abi("teacher"),
                                    host::to_abi("teacher.scripted"),
                                    reinterpret_cast<retort_instance*>(&teacher),
                                    &scripted_table};
  auto scores = scored_through_abi(&slot, list(2), 2);
  EXPECT_EQ(scores[0].scores, (std::vector<double>{0.5, 0.0}));
  EXPECT_EQ(json::parse(teacher.asked).size(), 2U);
  EXPECT_NE(teacher.asked.find("user: stop"), std::string::npos);
  teacher.missing = 1;
  scores = scored_through_abi(&slot, list(2), 2);
  EXPECT_TRUE(scores[0].error.empty());
  EXPECT_EQ(scores[1].error, "the judge gave no answer");
  EXPECT_THROW(scored_through_abi(nullptr, list(1), 1), std::invalid_argument);
}

}  // namespace
}  // namespace retort::llm_judge
