// environment.process: a whole world in a program (tests/plugins/counter.py), programs that go wrong in one way each,
// the contract's checks, and a run that generates rows with it and executes answers in it.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "fixtures.h"
#include "host/base/files.h"
#include "host/base/json.h"
#include "host/base/log.h"
#include "host/config/resolved_config.h"
#include "host/plugin/conformance.h"
#include "host/plugin/plugin_error.h"
#include "host/run/pipeline.h"
#include "http_server.h"
#include "line_process.h"
#include "task/dataset.h"
#include "world.h"

namespace retort::environments {
namespace {

bool never() {
  return false;
}
bool always() {
  return true;
}

World program_world(const Settings& settings, ShouldStop stop) {
  return World([=] { return std::make_unique<LineProcess>(settings, stop); });
}

class ProcessWorld : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::system("python3 -c '' 2>/dev/null") != 0) GTEST_SKIP() << "the example world needs python3";
  }
  static World counter(std::vector<std::string> arguments = {}, double timeout = 20, ShouldStop stop = &never) {
    return program_world({COUNTER_PROGRAM, std::move(arguments), timeout}, stop);
  }
  /// What one `execute` of the program ends with.
  static std::string failure(const World& world) {
    try {
      world.start("{}")->execute(Json::array());
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "nothing was wrong";
  }
};

Json add(int by) {
  return Json::array({{{"name", "add"}, {"arguments", {{"by", by}}}}});
}

TEST_F(ProcessWorld, SeveralTurnsOfSeveralSessions) {
  const World world = counter();
  EXPECT_EQ(Json::parse(world.tools()).at(0).at("function").at("name"), "add");
  const auto one = world.start("{}"), other = world.start(R"({"state": 40})");
  EXPECT_EQ(one->execute(add(3)).at("state"), "3");
  EXPECT_EQ(other->execute(add(2)).at("state"), "42");
  const Json outcome = one->execute(Json::parse(R"([{"name": "add", "arguments": {"by": 4}}, {"name": "fly"},
                                                    {"name": "reset"}])"));
  EXPECT_EQ(outcome.at("state"), "7");
  EXPECT_EQ(outcome.at("ok"), false);
  EXPECT_EQ(outcome.at("results").at(0), (Json{{"ok", true}, {"content", "7"}}));
  EXPECT_EQ(outcome.at("results").at(2).at("content"), "not run, because a call before it failed");
  EXPECT_EQ(one->state(), 7);
  EXPECT_THROW(world.start("["), std::invalid_argument);
  EXPECT_EQ(one->state(), 7);  // what was refused here never reached the program
}

TEST_F(ProcessWorld, ThreadsShareTheProgram) {
  const World world = counter();
  std::vector<std::thread> threads;
  std::vector<std::string> ends(4);
  for (std::size_t i = 0; i < ends.size(); ++i)
    threads.emplace_back([&, i] {
      const auto session = world.start("{}");
      for (int turn = 0; turn < 20; ++turn) session->execute(add(static_cast<int>(i) + 1));
      ends[i] = written(session->state());
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ends, (std::vector<std::string>{"20", "40", "60", "80"}));
}

TEST_F(ProcessWorld, FaultsAreNamedAndTheNextSessionBeginsAnew) {
  struct Case {
    const char* fault;
    const char* expected;
  };
  for (const Case& one : {Case{"exit",
                               "ended with exit code 3 instead of answering; the last that it wrote to standard "
                               "error: out of counters"},
                          Case{"garbage", "something else than a line of JSON in UTF-8: \"Traceback\""},
                          Case{"bytes", "something else than a line of JSON in UTF-8: \"{"},
                          Case{"number", "without its number: expected an object with \"id\": 2, found"},
                          Case{"nothing", "with neither \"result\" nor \"error\""}}) {
    const World world = counter({"--fault", one.fault});
    const auto before = world.start("{}");
    const std::string message = failure(world);
    EXPECT_NE(message.find(std::string(one.fault) == "number" ? "\"id\": 3" : one.expected), std::string::npos)
        << one.fault << ": " << message;
    EXPECT_THROW(before->state(), std::runtime_error);  // it was lost with the program
    EXPECT_EQ(world.start(R"({"state": 5})")->state(), 5);
  }
}

TEST_F(ProcessWorld, ASilentProgramIsEndedInTime) {
  const auto start = std::chrono::steady_clock::now();
  const std::string message = failure(counter({"--fault", "silence"}, 0.5));
  EXPECT_NE(message.find("did not answer within 0.5 s; raise \"timeout\""), std::string::npos) << message;
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));  // it would sleep for 60
}

TEST_F(ProcessWorld, AWishToStopBreaksTheWaitOff) {
  const World world = counter({}, 20, &always);
  EXPECT_THROW(world.tools(), StopRequested);
}

TEST(ProcessWorldRefuses, WhatCannotBeStarted) {
  const tests::TemporaryFolder folder;
  std::ofstream(folder / "notes.txt") << "not a program\n";
  const auto message = [](const std::string& program) {
    try {
      program_world({program, {}, 1}, &never).tools();
    } catch (const std::runtime_error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_NE(message((folder / "notes.txt").string()).find("Permission denied; it must be executable"),
            std::string::npos);
  EXPECT_NE(message("/no/such/program").find("No such file"), std::string::npos);
  const std::string ended = message("/bin/true");
  EXPECT_NE(ended.find("ended with exit code 0"), std::string::npos) << ended;
}

TEST_F(ProcessWorld, KeepsTheContract) {
  const host::ConformanceReport report =
      host::check_plugin(PROCESS_PLUGIN, 120, Json{{"environment.process", Json{{"program", COUNTER_PROGRAM}}}});
  for (const host::ConformanceCheck& check : report.checks)
    EXPECT_EQ(check.outcome, "passed") << check.name << ": " << check.detail;
  EXPECT_GE(report.checks.size(), 12U);
}

TEST(ProcessContract, ParametersOfTheCheckAreChecked) {
  const auto failed = [](const host::Json& parameters) {
    std::string all;
    for (const host::ConformanceCheck& check : host::check_plugin(PROCESS_PLUGIN, 60, parameters).checks)
      if (check.outcome != "passed") all += check.outcome + ": " + check.detail + "\n";
    return all;
  };
  EXPECT_NE(failed(host::Json::object()).find("skipped: it has required parameters"), std::string::npos);
  EXPECT_NE(failed(Json{{"environment.process", Json{{"program", "/bin/true"}, {"speed", 1}}}}).find("failed: /speed"),
            std::string::npos);
  EXPECT_NE(failed(Json{{"environment.home", Json::object()}}).find("it has no component \"environment.home\""),
            std::string::npos);
}

/// A teacher that is wrong about multiples of ten: the world refuses what it calls.
retort::testing::HttpResponse taught(const retort::testing::HttpRequest& request) {
  const std::string text = Json::parse(request.body)["messages"][0]["content"];
  const int by = std::stoi(text.substr(text.find_first_of("0123456789")));
  const Json function = {{"name", "add"}, {"arguments", Json{{"by", by % 10 == 0 ? 0 : by}}.dump()}};
  const Json message = {{"role", "assistant"},
                        {"content", ""},
                        {"tool_calls", {{{"id", "1"}, {"type", "function"}, {"function", function}}}}};
  return {200, Json{{"choices", {{{"message", message}, {"finish_reason", "tool_calls"}}}}}.dump(), ""};
}

TEST_F(ProcessWorld, ARunGeneratesAndExecutesInIt) {
  const tests::TemporaryFolder folder;
  host::start_log(true);
  const retort::testing::HttpServer server(taught);
  const Json world = {{"use", "environment.process"}, {"program", COUNTER_PROGRAM}};
  const Json generate = {{"name", "utterances"}, {"use", "stage.generate"}, {"environment", world},
                         {"train", 60},          {"validation", 4},         {"test", 4}};
  const Json label = {{"name", "labels"},
                      {"use", "stage.prototype"},
                      {"inputs", {{"dataset", "utterances"}}},
                      {"max_rejected_share", 0.5},
                      {"teacher", {{"use", "teacher.openai"}, {"base_url", server.base_url()}}},
                      {"reward", {{"use", "reward.function_call"}}},
                      {"environment", world}};
  const Json document = {{"name", "counting"}, {"seed", 5}, {"stages", Json::array({generate, label})}};
  host::write_json(folder / "config.json", document);
  host::SearchOptions options;
  options.libraries = {GENERATE_PLUGIN, PROTOTYPE_PLUGIN, PROCESS_PLUGIN, REWARD_PLUGIN, OPENAI_PLUGIN};
  options.environment = false;
  options.allow_writable = true;
  const host::Registry registry(options);
  std::vector<host::Diagnostic> diagnostics;
  const host::Config loaded = host::load_config(folder / "config.json", {}, diagnostics);
  const host::ResolvedConfig config = host::resolve_config(loaded, registry, diagnostics);
  ASSERT_TRUE(diagnostics.empty()) << host::to_string(diagnostics.front());
  const host::RunFolder run(folder / "run");
  ASSERT_EQ(host::run_pipeline(config, registry, run, {host::Verification::sizes, true}), host::RunEnd::complete);

  std::size_t tens = 0, all = 0;
  for (const task::Example& row : task::read_split(run.stage_link("utterances") / "train.jsonl").examples) {
    tens += row.utterance().ends_with("0") ? 1 : 0;
    ++all;
  }
  EXPECT_EQ(all, 60U);
  ASSERT_GT(tens, 0U);
  EXPECT_EQ(task::read_split(run.stage_link("labels") / "train.jsonl").examples.size(), all - tens);
  EXPECT_NE(host::read_file(run.stage_link("labels") / "rejected.jsonl").find("nought changes nothing"),
            std::string::npos);
}

}  // namespace
}  // namespace retort::environments
