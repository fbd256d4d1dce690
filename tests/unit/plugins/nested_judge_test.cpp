// A component in a component's slot, as the host makes it of a config: reward.llm_judge with teacher.openai, and a
// server on 127.0.0.1 behind that.
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "fixtures.h"
#include "host/algorithm/reward_call.h"
#include "host/algorithm/teacher_call.h"
#include "host/base/files.h"
#include "host/plugin/parameter_schema.h"
#include "host/plugin/plugin_error.h"
#include "host/plugin/registry.h"
#include "http_server.h"

namespace retort::host {
namespace {

using testing::HttpRequest;
using testing::HttpResponse;
using testing::HttpServer;

const Registry& judges() {
  static const Registry both = [] {
    SearchOptions options;
    options.libraries = {LLM_JUDGE_PLUGIN, OPENAI_PLUGIN, REPLAY_PLUGIN};
    options.environment = false;
    options.allow_writable = true;
    return Registry(options);
  }();
  return both;
}

Component create(const std::string& id, Json parameters, std::vector<FilledSlot> slots = {}) {
  std::vector<Diagnostic> findings;
  validate_parameters(judges().find(id)->parameters_schema, parameters, "", findings);
  EXPECT_TRUE(findings.empty());
  return judges().create(id, parameters, std::move(slots));
}

Component openai(const HttpServer& server, Json parameters = Json::object()) {
  parameters["base_url"] = server.base_url();
  parameters["first_wait"] = 0.01;
  return create("teacher.openai", parameters);
}

HttpResponse chat(const std::string& content) {
  return {200,
          Json{{"choices", {{{"message", {{"role", "assistant"}, {"content", content}}}, {"finish_reason", "stop"}}}}}
              .dump(),
          ""};
}

std::vector<RewardItem> judged(const Component& judge, const std::string& items, std::size_t count) {
  const RewardCall reward(judge.info().id, judge.instance(),
                          judge.functions_as<retort_reward_v1>(RETORT_REWARD_INTERFACE));
  std::vector<RewardItem> all(count);
  reward.score("[]", items, count, [&](std::size_t index, RewardItem item) { all[index] = std::move(item); });
  return all;
}

TEST(NestedJudge, AsksTheTeacherInItsSlot) {
  HttpServer server([](const HttpRequest& request) {
    const std::string prompt = Json::parse(request.body)["messages"][0]["content"];
    if (request.number == 0) return HttpResponse{503, "", ""};
    return chat(prompt.find("user: stop") != std::string::npos ? R"({"score": 1})" : "I cannot say");
  });
  const Component judge =
      create("reward.llm_judge", Json::object(), {{"teacher", RETORT_TEACHER_INTERFACE, openai(server)}});
  const auto item = [](const std::string& asked) {
    return R"({"messages":[{"role":"user","content":")" + asked + R"("}],"text":"","response":{"calls":[]}})";
  };
  const auto scores = judged(judge, "[" + item("stop") + "," + item("go") + "]", 2);
  EXPECT_EQ(scores[0].scores, (std::vector<double>{1.0, 0.0}));
  EXPECT_NE(scores[1].error.find("alone or as JSON"), std::string::npos) << scores[1].error;
  EXPECT_EQ(server.requests(), 3U);
}

TEST(NestedJudge, TheSlotIsDeclaredAndNeeded) {
  const ComponentInfo& info = *judges().find("reward.llm_judge");
  ASSERT_EQ(info.slots.size(), 2U);
  EXPECT_EQ(info.slots[0].name, "teacher");
  EXPECT_EQ(info.slots[0].interface, RETORT_TEACHER_INTERFACE);
  EXPECT_FALSE(info.slots[0].optional);
  HttpServer server([](const HttpRequest&) { return chat("1"); });
  EXPECT_THROW(create("reward.llm_judge", Json::object(), {{"judge", RETORT_TEACHER_INTERFACE, openai(server)}}),
               std::exception);
}

std::vector<Json> answers(const Component& teacher, const std::string& tools, const Json& requests) {
  const TeacherCall call(teacher.info().id, teacher.instance(),
                         teacher.functions_as<retort_teacher_v1>(RETORT_TEACHER_INTERFACE));
  std::vector<Json> all(requests.size());
  call.complete(tools, requests.dump(), all.size(),
                [&](std::size_t index, Json item) { all[index] = std::move(item); });
  return all;
}

TEST(Replay, RecordsWhatTheTeacherWithinAnswersAndAsksItNoMore) {
  const tests::TemporaryFolder folder;
  HttpServer server([](const HttpRequest& request) {
    if (request.body.find("broken") != std::string::npos) return HttpResponse{400, "{}", ""};
    return chat("answer " + std::to_string(request.number));
  });
  const auto replay = [&](const std::string& identity) {
    return create("teacher.replay", {{"store", folder.path().string()}, {"identity", identity}},
                  {{"teacher", RETORT_TEACHER_INTERFACE, openai(server)}});
  };
  const auto request = [](const std::string& text) {
    return Json{{"messages", {{{"role", "user"}, {"content", text}}}}, {"temperature", 0.5}};
  };
  Json requests = {request("a"), request("broken"), request("b")};
  const auto first = answers(replay("m"), "", requests);
  EXPECT_EQ(server.requests(), 3U);
  const auto second = answers(replay("m"), "", requests);
  EXPECT_EQ(server.requests(), 4U);  // errors are not kept
  for (const std::size_t k : {0U, 2U}) {
    EXPECT_EQ(second[k]["choices"], first[k]["choices"]);
    EXPECT_EQ(second[k]["cost"]["cached"], true);
  }
  requests = {request("a")};
  requests[0]["temperature"] = 0.6;
  answers(replay("m"), "", requests);
  EXPECT_EQ(server.requests(), 5U);
  requests[0]["sample"] = 1;
  answers(replay("m"), "", requests);
  answers(replay("another"), "", requests);
  answers(replay("m"), R"([{"type":"function","function":{"name":"f"}}])", requests);
  EXPECT_EQ(server.requests(), 8U);
  const Component alone = create("teacher.replay", {{"store", folder.path().string()}, {"identity", "m"}});
  const auto third = answers(alone, "", {request("a"), request("never asked")});
  EXPECT_EQ(third[0]["choices"], first[0]["choices"]);
  EXPECT_NE(third[1]["error"].get<std::string>().find("no answer is recorded"), std::string::npos);
}

TEST(Replay, FindsTheOnlyIdentityOfAStore) {
  const tests::TemporaryFolder folder;
  HttpServer server([](const HttpRequest& request) { return chat("answer " + std::to_string(request.number)); });
  const Json requests = Json::array({Json{{"messages", {{{"role", "user"}, {"content", "a"}}}}}});
  const auto record = [&](const std::string& identity) {
    answers(create("teacher.replay", {{"store", folder.path().string()}, {"identity", identity}},
                   {{"teacher", RETORT_TEACHER_INTERFACE, openai(server)}}),
            "", requests);
  };
  record("m");
  record("m");
  const Component alone = create("teacher.replay", {{"store", folder.path().string()}});
  EXPECT_EQ(answers(alone, "", requests)[0]["choices"][0]["message"]["content"], "answer 0");
  record("n");
  const Component again = create("teacher.replay", {{"store", folder.path().string()}});
  const std::string refusal = tests::error_of([&] { answers(again, "", requests); });
  EXPECT_NE(refusal.find(R"(several identities ("m", "n"): name one)"), std::string::npos) << refusal;
  const Component named = create("teacher.replay", {{"store", folder.path().string()}, {"identity", "n"}});
  EXPECT_EQ(answers(named, "", requests)[0]["choices"][0]["message"]["content"], "answer 1");
}

TEST(Replay, ReadsAnswersThatWereWrittenByHand) {
  const tests::TemporaryFolder folder;
  const Json request = {{"messages", {{{"role", "user"}, {"content", "hello"}}}}};
  const Json answer = Json::parse(chat("by hand").body);
  write_file_atomically(folder / "answers.jsonl",
                        "no JSON\n" + Json{{"request", request}, {"answer", answer}}.dump() + "\n");
  const Component replay = create("teacher.replay", {{"store", folder.path().string()}});
  EXPECT_EQ(answers(replay, "", Json::array({request}))[0]["choices"][0]["message"]["content"], "by hand");
}

TEST(OpenAiComponent, AStopEndsTheBatch) {
  HttpServer* running = nullptr;
  HttpServer server([&](const HttpRequest&) {
    request_stop();
    running->hold();
    return chat("late");
  });
  running = &server;
  const Component teacher = openai(server);
  const TeacherCall call(teacher.info().id, teacher.instance(),
                         teacher.functions_as<retort_teacher_v1>(RETORT_TEACHER_INTERFACE));
  EXPECT_THROW(call.complete("", R"([{"messages":[{"role":"user","content":"a"}]}])", 1,
                             [](std::size_t, const Json&) { FAIL() << "an answer came"; }),
               std::exception);
  clear_stop_request();
}

TEST(OpenAiComponent, RefusesBeforeAnyRequest) {
  HttpServer server([](const HttpRequest&) { return chat("1"); });
  EXPECT_THROW(create("teacher.openai", {{"base_url", "localhost:80"}}), std::exception);
  EXPECT_EQ(server.requests(), 0U);
}

}  // namespace
}  // namespace retort::host
