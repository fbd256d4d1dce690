// What stages and `retort plugins check` accept of teachers, rewards and environments: tables made for the purpose.
#include <gtest/gtest.h>

#include <functional>
#include <retort/host.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "host/algorithm/environment_call.h"
#include "host/algorithm/reward_call.h"
#include "host/algorithm/teacher_call.h"
#include "host/plugin/plugin_error.h"

namespace retort::host {
namespace {

using Items = std::vector<std::pair<std::uint64_t, std::string>>;

/// Stands behind every table of this file: gives `items`, writes `text`, and returns an error of `code` if it is not 0.
struct Script {
  Items items;
  std::string text;
  std::int32_t code = 0;
  retort_instance* instance() { return reinterpret_cast<retort_instance*>(this); }
};

Script& script_of(retort_instance* instance) {
  return *reinterpret_cast<Script*>(instance);
}

retort_error* result_of(const Script& script) {
  return script.code == 0 ? nullptr : host_services().error_new(script.code, to_abi("out of order"));
}

retort_error* give(retort_instance* instance, const retort_item_sink* sink) {
  for (const auto& [index, json] : script_of(instance).items) sink->item(sink->context, index, to_abi(json));
  return result_of(script_of(instance));
}

retort_error* write(retort_instance* instance, const retort_text_sink* sink) {
  sink->write(sink->context, to_abi(script_of(instance).text));
  return result_of(script_of(instance));
}

std::string failure_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "no failure";
}

void expect_fault(const std::function<void()>& action, const std::string& part) {
  const std::string failure = failure_of(action);
  EXPECT_NE(failure.find(part), std::string::npos) << failure;
  EXPECT_NE(failure.find("a fault of the component"), std::string::npos) << failure;
}

const char* const answer =
    R"({"choices":[{"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}],"usage":{}})";

retort_error* complete(retort_instance* instance, const retort_teacher_batch*, const retort_item_sink* sink) {
  return give(instance, sink);
}
constexpr retort_teacher_v1 teacher_table{RETORT_TEACHER_V1_SIZE, 0, &complete, nullptr};

/// The indices that came, of `count` requests.
std::vector<std::size_t> asked(Script script, std::size_t count) {
  const TeacherCall teacher("teacher.scripted", script.instance(), teacher_table);
  std::vector<std::size_t> came;
  teacher.complete("", "[]", count, [&](std::size_t index, const Json&) { came.push_back(index); });
  return came;
}

TEST(TeacherCall, HandsOnItemsAsTheyCome) {
  const Script script{{{2, answer}, {0, R"({"error":"rate limit"})"}, {1, answer}}, "", 0};
  EXPECT_EQ(asked(script, 3), (std::vector<std::size_t>{2, 0, 1}));
}

TEST(TeacherCall, RefusesItemsThatAreMissingTwiceOrNone) {
  expect_fault([] { asked({{{0, answer}}, "", 0}, 2); }, "expected 2 items, found 1 (item 1 did not come)");
  expect_fault([] { asked({{{0, answer}, {0, answer}}, "", 0}, 2); }, "item 0 twice");
  expect_fault([] { asked({{{0, answer}, {7, answer}}, "", 0}, 2); }, "item 7");
  expect_fault([] { asked({{{0, "{"}}, "", 0}, 1); }, "item 0: expected JSON");
}

TEST(TeacherCall, RefusesAnswersOfAnotherShape) {
  for (const char* item : {"7", "{}", R"({"choices":[]})", R"({"choices":[{}]})", R"({"error":7})",
                           R"({"choices":[{"message":{"role":"user","content":"a"},"finish_reason":"stop"}]})",
                           R"({"choices":[{"message":{"role":"assistant","content":"a"},"finish_reason":"tired"}]})"})
    expect_fault([&] { asked({{{0, item}}, "", 0}, 1); }, "teacher.scripted: complete(): item 0: expected");
}

TEST(TeacherCall, ErrorsKeepTheirKind) {
  EXPECT_THROW(asked({{}, "", RETORT_ERROR_INVALID_ARGUMENT}, 1), std::invalid_argument);
  EXPECT_THROW(asked({{}, "", RETORT_ERROR_STOPPED}, 1), Stopped);
  EXPECT_EQ(failure_of([] { asked({{}, "", RETORT_ERROR_RUNTIME}, 1); }), "teacher.scripted: complete(): out of order");
}

TEST(TeacherCall, WhatTheTakerThrowsComesBack) {
  Script script{{{0, answer}, {1, answer}}, "", RETORT_ERROR_RUNTIME};
  const TeacherCall teacher("t", script.instance(), teacher_table);
  int taken = 0;
  EXPECT_THROW(teacher.complete("", "[]", 2,
                                [&](std::size_t, const Json&) {
                                  ++taken;
                                  throw std::domain_error("the disk is full");
                                }),
               std::domain_error);
  EXPECT_EQ(taken, 1);
}

TEST(TeacherCall, SaysThatItCannotScore) {
  Script script;
  const TeacherCall teacher("t", script.instance(), teacher_table);
  EXPECT_FALSE(teacher.can_score());
  EXPECT_THROW(teacher.score("", "[]", 0, [](std::size_t, const Json&) {}), std::invalid_argument);
}

retort_error* score(retort_instance* instance, const retort_reward_batch*, const retort_item_sink* sink) {
  return give(instance, sink);
}
constexpr retort_reward_v1 reward_table{RETORT_REWARD_V1_SIZE, 0, &write, &score};
const char* const two_scores = R"([{"name":"whole","minimum":0,"maximum":1},{"name":"cost","minimum":null}])";

RewardItem scored(const std::string& names, const std::string& item) {
  Script script{{{0, item}}, names, 0};
  const RewardCall reward("reward.scripted", script.instance(), reward_table);
  RewardItem result;
  reward.score("[]", "[{}]", 1, [&](std::size_t, RewardItem one) { result = std::move(one); });
  return result;
}

TEST(RewardCall, ReadsScoresInTheOrderOfTheirNames) {
  const RewardItem item = scored(two_scores, R"({"scores":{"cost":-7,"whole":0.5},"reason":"half","malformed":true})");
  EXPECT_EQ(item.scores, (std::vector<double>{0.5, -7.0}));
  EXPECT_EQ(item.reason, "half");
  EXPECT_TRUE(item.malformed);
  EXPECT_EQ(scored(two_scores, R"({"error":"no answer"})").error, "no answer");
}

TEST(RewardCall, RefusesScoresThatBreakTheirBounds) {
  for (const char* item :
       {R"({"scores":{"whole":1.01,"cost":0}})", R"({"scores":{"whole":-0.01,"cost":0}})", R"({"scores":{"whole":1}})",
        R"({"scores":{"whole":1,"cost":0,"more":1}})", R"({"scores":{"whole":"1","cost":0}})",
        R"({"scores":{"whole":1,"cost":null}})", R"({"scores":7})", R"({"error":""})", "[]"})
    expect_fault([&] { scored(two_scores, item); }, "reward.scripted: score(): item 0: expected");
}

TEST(RewardCall, RefusesNamesThatAreNone) {
  for (const char* names : {"[]", "{}", "[7]", R"([{"name":""}])", R"([{"name":"a"},{"name":"a"}])",
                            R"([{"name":"a","minimum":1,"maximum":0}])", R"([{"name":"a","minimum":"0"}])", "{"})
    expect_fault([&] { scored(names, "{}"); }, "reward.scripted: scores(): expected");
}

retort_error* generate(retort_instance* instance, retort_string, std::int64_t, std::uint64_t,
                       const retort_item_sink* rows) {
  return give(instance, rows);
}
retort_error* start(retort_instance* instance, retort_string, retort_session** out) {
  *out = reinterpret_cast<retort_session*>(instance);
  return nullptr;
}
retort_error* execute(retort_instance* instance, retort_session*, retort_string, const retort_text_sink* outcome) {
  return write(instance, outcome);
}
void end(retort_instance*, retort_session*) {}
constexpr retort_environment_v1 environment_table{
    RETORT_ENVIRONMENT_V1_SIZE, 0, &write, &generate, &start, &execute, nullptr, &end};

Json executed(const std::string& outcome, const Json& calls) {
  Script script{{}, outcome, 0};
  return EnvironmentCall("world", script.instance(), environment_table).execute_once(calls);
}

TEST(EnvironmentCall, ChecksOutcomes) {
  const Json one = Json::array({{{"name", "a"}, {"arguments", Json::object()}}});
  EXPECT_EQ(executed(R"({"ok":true,"error":null,"results":[{"ok":true,"content":"done"}],"state":"1"})", one)["state"],
            "1");
  for (const char* outcome : {"7", "{}", R"({"ok":true,"error":null,"results":[],"state":"1"})",
                              R"({"ok":true,"error":"so","results":[{"ok":true,"content":""}],"state":"1"})",
                              R"({"ok":false,"error":null,"results":[{"ok":false,"content":""}],"state":"1"})",
                              R"({"ok":true,"error":null,"results":[{"ok":false,"content":""}],"state":"1"})",
                              R"({"ok":true,"error":null,"results":[{"ok":true}],"state":"1"})",
                              R"({"ok":true,"error":null,"results":[{"ok":true,"content":""}]})", "{"})
    expect_fault([&] { executed(outcome, one); }, "world: execute(): expected");
}

TEST(EnvironmentCall, RowsComeFromZeroWithoutAGap) {
  const auto generated = [](Items items) {
    Script script{std::move(items), "", 0};
    return EnvironmentCall("world", script.instance(), environment_table)
        .generate("train", 2, 0, [](std::size_t, const Json&) {});
  };
  const std::string row = R"({"messages":[]})";
  EXPECT_EQ(generated({{1, row}, {0, row}}), 2U);
  EXPECT_EQ(generated({{0, row}}), 1U);  // fewer than asked for is allowed
  expect_fault([&] { generated({{1, row}}); }, "without a gap");
  expect_fault([&] { generated({{0, row}, {1, row}, {2, row}}); }, "item 2");
  expect_fault([&] { generated({{0, R"({"rows":[]})"}}); }, "a chat row");
}

TEST(EnvironmentCall, SaysThatAWorldCannotBeSaved) {
  Script script;
  const EnvironmentCall environment("world", script.instance(), environment_table);
  const EnvironmentSession session(environment);
  EXPECT_FALSE(session.can_save());
  EXPECT_THROW(session.state(), std::invalid_argument);
}

}  // namespace
}  // namespace retort::host
