// What teacher.openai keeps: no request is paid for twice, whatever is killed; and the Batch API.
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "fixtures.h"
#include "openai_fixture.h"

extern char** environ;

namespace retort::openai {
namespace {

constexpr std::size_t asked_by_child = 120;

Settings kept_in(const std::filesystem::path& folder, Settings with) {
  with.store = folder / "answers";
  with.records = folder / "records";
  return with;
}

TEST(OpenAiStore, WhatWasAnsweredIsNotAskedAgain) {
  const tests::TemporaryFolder folder;
  const HttpServer server(echo);
  Settings with = kept_in(folder.path(), settings(server));
  with.chat.model = "m";
  with.prices = {1, 1};
  std::string log;
  with.log = [&](const std::string& text) { log += text + "\n"; };
  const auto first = ask(with, requests(20));
  EXPECT_EQ(posts_by_key(server).size(), 20U);
  const auto second = ask(with, requests(24));
  EXPECT_EQ(server.requests(), 24U);
  EXPECT_NE(log.find("20 of 24 answers are kept from earlier; 4 requests are to be sent"), std::string::npos) << log;
  for (const auto& [index, item] : first) {
    EXPECT_EQ(second.at(index)["choices"], item["choices"]);
    EXPECT_EQ(second.at(index)["cost"],
              (json{{"requests", 0}, {"input_tokens", 0}, {"output_tokens", 0}, {"usd", 0.0}, {"cached", true}}));
  }
  const HttpServer moved(echo);  // the same model at another address
  with.base_urls = {moved.base_url()};
  ask(with, requests(24));
  EXPECT_EQ(moved.requests(), 0U);
}

TEST(OpenAiStore, EverySamplingParameterAndTheSampleCount) {
  const tests::TemporaryFolder folder;
  const HttpServer server(echo);
  Settings with = kept_in(folder.path(), settings(server));
  const json message = {{"role", "user"}, {"content", "q"}};
  json asked = json::array();
  for (const json& more : {json{{"n", 2}}, json{{"temperature", 0.5}}, json{{"top_p", 0.5}}, json{{"max_tokens", 5}},
                           json{{"seed", 3}}, json{{"top_logprobs", 1}}, json{{"sample", 1}}, json{{"sample", 0}},
                           json{{"tool_choice", "none"}}, json::object()}) {
    asked.push_back(more);
    asked.back()["messages"] = {message};
  }
  EXPECT_EQ(ask(with, asked.dump()).size(), 10U);
  EXPECT_EQ(server.requests(), 9U);  // sample 0 is what none says
  ask(with, asked.dump(), R"([{"type":"function","function":{"name":"stop"}}])");
  EXPECT_EQ(server.requests(), 18U);
  std::string log;
  with.log = [&](const std::string& text) { log += text + "\n"; };
  with.chat.temperature = 0.25;
  ask(with, asked.dump());
  EXPECT_EQ(server.requests(), 26U);  // but one, which says its own
  EXPECT_NE(log.find("settings changed since the last start (temperature 0.0 → 0.25): of 18 answers"),
            std::string::npos)
      << log;
  with.offline = true;
  with.chat.temperature = 0.75;
  EXPECT_NE(ask(with, requests(1)).at(0)["error"].get<std::string>().find("offline"), std::string::npos);
  EXPECT_EQ(server.requests(), 26U);
}

TEST(OpenAiStore, ErrorsAreAskedAgainAndHalfLinesAreNoAnswers) {
  const tests::TemporaryFolder folder;
  std::atomic<bool> broken{true};
  const HttpServer server(
      [&](const HttpRequest& request) { return broken ? HttpResponse{400, "{}", ""} : echo(request); });
  const Settings with = kept_in(folder.path(), settings(server));
  EXPECT_TRUE(ask(with, requests(1)).at(0).contains("error"));
  broken = false;
  ask(with, requests(2));
  const auto file = folder / "answers" / "answers.jsonl";
  std::filesystem::resize_file(file, std::filesystem::file_size(file) - 10);  // a kill in the middle of a line
  EXPECT_EQ(ask(with, requests(2)).size(), 2U);
  EXPECT_EQ(server.requests(), 4U);
  ask(with, requests(2));
  EXPECT_EQ(server.requests(), 4U);
}

TEST(Chat, DrawnValuesFollowFromSeedRequestAndSample) {
  ChatDefaults defaults;
  defaults.temperature = 0.25;
  defaults.temperature_to = 0.75;
  defaults.top_p = 0.5;
  defaults.top_p_to = 1;
  defaults.seed = 3;
  std::set<double> temperatures;
  double sum = 0;
  for (int i = 0; i < 200; ++i) {
    const json request = {{"messages", {{{"role", "user"}, {"content", std::to_string(i / 2)}}}}, {"sample", i % 2}};
    const json body = to_body(request, json::array(), defaults);
    EXPECT_EQ(body, to_body(request, json::array(), defaults));
    EXPECT_GE(body["temperature"], 0.25);
    EXPECT_LT(body["temperature"], 0.75);
    EXPECT_GE(body["top_p"], 0.5);
    EXPECT_EQ(body["seed"], 3 + i % 2);
    sum += body["temperature"].get<double>();
    temperatures.insert(body["temperature"].get<double>());
  }
  EXPECT_EQ(temperatures.size(), 200U);
  EXPECT_NEAR(sum / 200, 0.5, 0.05);  // 5 standard deviations of 0.0102
}

TEST(Chat, CallsAsJsonOfASchema) {
  ChatDefaults defaults;
  defaults.json_calls = true;
  const json tools = json::parse(
      R"([{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"x":{"type":"integer"}}}}}])");
  const json body = to_body({{"messages", {{{"role", "user"}, {"content", "a"}}}}}, tools, defaults);
  EXPECT_FALSE(body.contains("tools"));
  EXPECT_NE(body["messages"][0]["content"].get<std::string>().find("\"name\":\"f\""), std::string::npos);
  const json& call = body["response_format"]["json_schema"]["schema"]["properties"]["calls"]["items"]["anyOf"][0];
  EXPECT_EQ(call["properties"]["arguments"], tools[0]["function"]["parameters"]);
  const auto answered = [](const std::string& content) {
    return read_answer(json{{"choices", {{{"message", {{"content", content}}}, {"finish_reason", "stop"}}}}}.dump(),
                       true)["choices"][0];
  };
  const json one = answered(R"({"calls":[{"name":"f","arguments":{"x":1}}],"text":""})");
  EXPECT_EQ(one["message"]["tool_calls"][0]["function"], (json{{"name", "f"}, {"arguments", R"({"x":1})"}}));
  EXPECT_EQ(one["finish_reason"], "tool_calls");
  const json none = answered(R"({"calls":[],"text":"which one?"})");
  EXPECT_EQ(none["message"]["content"], "which one?");
  EXPECT_FALSE(none["message"].contains("tool_calls"));
  EXPECT_EQ(answered("no JSON")["message"]["content"], "no JSON");
}

/// This program again, asking the server for 120 answers; killed with the test.
pid_t start_child(const HttpServer& server, const std::filesystem::path& folder) {
  std::string program = "/proc/self/exe", mode = "--ask", url = server.base_url(), where = folder.string();
  char* arguments[] = {program.data(), mode.data(), url.data(), where.data(), nullptr};
  pid_t child = 0;
  EXPECT_EQ(::posix_spawn(&child, program.c_str(), nullptr, nullptr, arguments, environ), 0);
  return child;
}

int end_of(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Amount spent_in(const std::filesystem::path& folder, std::int64_t& cut_off) {
  for (const auto& entry : std::filesystem::directory_iterator(folder / "records"))
    if (entry.path().filename().string().starts_with("spent-")) {
      const Spending spending(entry.path());
      cut_off = spending.cut_off();
      return spending.spent();
    }
  return {};
}

TEST(OpenAiStore, AKillCostsWhatWasUnderWayAndNothingElse) {
  const tests::TemporaryFolder folder;
  HttpServer* running = nullptr;
  std::atomic<std::size_t> hold_from{40};
  HttpServer server([&](const HttpRequest& request) {
    if (request.number >= hold_from) running->hold();
    return echo(request);
  });
  running = &server;
  const pid_t child = start_child(server, folder.path());
  ASSERT_TRUE(server.wait_for(8));
  for (int i = 0; i < 20000 && server.requests() < 48; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  ASSERT_EQ(server.requests(), 48U);  // 40 are answered and 8 wait for an answer
  ::kill(child, SIGKILL);
  end_of(child);
  hold_from = 1000000;
  server.release();
  EXPECT_EQ(end_of(start_child(server, folder.path())), 0);
  EXPECT_EQ(server.requests(), asked_by_child + 8);
  std::int64_t cut_off = 0;
  EXPECT_EQ(spent_in(folder.path(), cut_off).requests, static_cast<std::int64_t>(asked_by_child) + 8);
  EXPECT_EQ(cut_off, 8);
  EXPECT_EQ(end_of(start_child(server, folder.path())), 0);  // a run that is complete asks for nothing
  EXPECT_EQ(server.requests(), asked_by_child + 8);
  // The eight came with the keys that they had before: a server that honours these answers each request once.
  const std::map<std::string, std::size_t> posts = posts_by_key(server);
  EXPECT_EQ(posts.size(), asked_by_child);
  EXPECT_EQ(std::count_if(posts.begin(), posts.end(), [](const auto& one) { return one.second == 2; }), 8);
}

TEST(OpenAiStore, KillsAtAnyMomentAskTwiceOnlyForWhatWasUnderWay) {
  const tests::TemporaryFolder folder;
  std::atomic<std::size_t> stop_at{7};  // answers wait for the kill from here on
  HttpServer server([&](const HttpRequest& request) {
    while (request.number >= stop_at) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return echo(request);
  });
  int kills = 0;
  for (;; stop_at += 13) {
    const pid_t child = start_child(server, folder.path());
    int status = 0;
    pid_t ended = 0;
    while (server.requests() <= stop_at && (ended = ::waitpid(child, &status, WNOHANG)) == 0)
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    if (ended == child) {
      EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
      break;
    }
    ::kill(child, SIGKILL);
    end_of(child);
    ++kills;
    ASSERT_LT(kills, 100);
  }
  EXPECT_GT(kills, 5);
  std::int64_t cut_off = 0;
  const Amount spent = spent_in(folder.path(), cut_off);
  EXPECT_EQ(posts_by_key(server).size(), asked_by_child) << "distinct keys at the server are the distinct requests";
  // Each try is on the disk before it is sent, so the record knows every request that the server can have seen.
  EXPECT_LE(server.requests(), asked_by_child + static_cast<std::size_t>(cut_off));
  EXPECT_LE(static_cast<std::int64_t>(server.requests()), spent.requests);
  EXPECT_LE(cut_off, 8 * kills);
}

/// Files and batches in memory; answers are there at the second look.
class BatchServer {
 public:
  HttpResponse answer(const HttpRequest& request) {
    const std::lock_guard lock(mutex_);
    const std::string line = request.head.substr(0, request.head.find(" HTTP"));
    if (line == "POST /v1/files") {
      lines_ = request.body.substr(request.body.find("{\"custom_id\""));
      lines_ = lines_.substr(0, lines_.find("\r\n--"));
      ++uploads;
      return {200, R"({"id":"file-1"})", ""};
    }
    if (line == "POST /v1/batches") {
      ++batches;
      return {200, R"({"id":"batch-1","status":"validating"})", ""};
    }
    if (line.starts_with("GET /v1/batches?"))
      return {200, R"({"data":[{"id":"batch-1","input_file_id":"file-1"}]})", ""};
    if (line == "GET /v1/batches/batch-1") {
      ++looks;
      if (!ready) return {200, R"({"status":"in_progress"})", ""};
      return {200, R"({"status":"completed","output_file_id":"out","error_file_id":"bad"})", ""};
    }
    if (line == "GET /v1/files/out/content") return {200, results(false), ""};
    if (line == "GET /v1/files/bad/content") return {200, results(true), ""};
    return {404, "{}", ""};
  }

  std::atomic<int> uploads{0}, batches{0}, looks{0};
  std::atomic<bool> ready{false};
  bool counts = true;  ///< answers say what they cost, and all ids are texts

 private:
  /// Backwards, the first twice, one line that is no JSON; what is asked "q2" fails.
  std::string results(bool failed) {
    std::string all;
    std::istringstream in(lines_);
    for (std::string line; std::getline(in, line);) {
      const json request = json::parse(line);
      const std::string asked = request["body"]["messages"][0]["content"];
      json result = {{"custom_id", request["custom_id"]}};
      if ((asked == "q2") != failed) continue;
      if (failed)
        result["response"] = {{"status_code", 400}, {"body", {{"error", {{"message", "no"}}}}}};
      else
        result["response"] = {{"status_code", 200}, {"body", json::parse(answer_text(asked))}};
      if (!counts && !failed) result["response"]["body"].erase("usage");
      if (!counts) all += "{\"custom_id\":7,\"response\":{\"status_code\":\"200\",\"body\":{}}}\n";
      all = result.dump() + "\n" + all;
      if (asked == "q0") all = result.dump() + "\n{\"custom_id\n" + all;
    }
    return all;
  }
  std::mutex mutex_;
  std::string lines_;
};

TEST(OpenAiBatch, ABatchIsHandedInOnceAndFoundAgainByTheNextStart) {
  const tests::TemporaryFolder folder;
  BatchServer batches;
  const HttpServer server([&](const HttpRequest& request) { return batches.answer(request); });
  Settings with = kept_in(folder.path(), settings(server));
  with.batch = true;
  with.poll = 0.02;
  std::string log;
  with.log = [&](const std::string& text) { log += text + "\n"; };
  {
    OpenAi teacher(with);
    EXPECT_FALSE(teacher.complete(
        "", requests(4), [](std::size_t, const std::string&) { FAIL(); }, [&] { return batches.looks > 1; }));
  }
  EXPECT_EQ(batches.batches, 1);
  batches.ready = true;
  const auto items = ask(with, requests(4));
  EXPECT_EQ(batches.uploads, 1);
  EXPECT_EQ(batches.batches, 1);
  EXPECT_NE(log.find("batch batch-1 was handed in by an earlier start"), std::string::npos) << log;
  EXPECT_NE(log.find("1 lines could not be read, and 1 answered what had been answered"), std::string::npos) << log;
  for (const std::size_t k : {0U, 1U, 3U})
    EXPECT_EQ(items.at(k)["choices"][0]["message"]["content"], "q" + std::to_string(k));
  EXPECT_EQ(items.at(2)["error"], "status 400: no");
  std::int64_t cut_off = 0;
  EXPECT_EQ(spent_in(folder.path(), cut_off), (Amount{4, 9, 3}));
  EXPECT_EQ(cut_off, 0);
  EXPECT_EQ(ask(with, requests(2)).size(), 2U);
  EXPECT_EQ(batches.batches, 1);
}

/// What the server does not count was paid for all the same, and a line of any shape costs itself alone.
TEST(OpenAiBatch, AnswersWithoutACountAreEstimated) {
  const tests::TemporaryFolder folder;
  BatchServer batches;
  batches.counts = false;
  batches.ready = true;
  const HttpServer server([&](const HttpRequest& request) { return batches.answer(request); });
  Settings with = kept_in(folder.path(), settings(server));
  with.batch = true;
  with.poll = 0.02;
  EXPECT_EQ(ask(with, requests(2)).at(1)["choices"][0]["message"]["content"], "q1");
  std::int64_t cut_off = 0;
  const Amount spent = spent_in(folder.path(), cut_off);
  EXPECT_EQ(spent.requests, 2);
  EXPECT_GT(spent.input_tokens, 20);  // four bytes a token
  EXPECT_EQ(cut_off, 0);
}

TEST(OpenAiBatch, AKillBetweenUploadAndRecordLosesNoBatch) {
  const tests::TemporaryFolder folder;
  BatchServer batches;
  const HttpServer server([&](const HttpRequest& request) { return batches.answer(request); });
  Settings with = kept_in(folder.path(), settings(server));
  with.batch = true;
  with.poll = 0.02;
  {
    OpenAi teacher(with);
    teacher.complete("", requests(2), [](std::size_t, const std::string&) {}, [&] { return batches.looks > 0; });
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder / "records"))
    if (entry.path().filename().string().starts_with("batches-"))
      std::ofstream(entry.path(), std::ios::trunc) << R"({"file":"file-1"})" << "\n";  // as a kill would leave it
  batches.ready = true;
  EXPECT_EQ(ask(with, requests(2)).at(1)["choices"][0]["message"]["content"], "q1");
  EXPECT_EQ(batches.batches, 1);
}

}  // namespace
}  // namespace retort::openai

/// The child of the tests above: `--ask URL FOLDER`.
int ask_as_child(const std::string& url, const std::string& folder) {
  using namespace retort::openai;
  Settings with;
  with.base_urls = {url};
  with.chat.model = "m";
  with.store = folder + "/answers";
  with.records = folder + "/records";
  std::size_t answers = 0;
  OpenAi teacher(with);
  teacher.complete(
      "", requests(120),
      [&](std::size_t, const std::string& item) { answers += json::parse(item).contains("choices"); },
      [] { return false; });
  return answers == 120 ? 0 : 1;
}

int main(int argc, char** argv) {
  setenv("no_proxy", "127.0.0.1", 1);
  if (argc == 4 && std::string(argv[1]) == "--ask") return ask_as_child(argv[2], argv[3]);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
