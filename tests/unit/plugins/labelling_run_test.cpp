// stage.generate and stage.prototype as a config runs them, with a teacher and a judge behind a server on 127.0.0.1:
// what a run that was stopped asks for again, and what a run writes down of the key.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "fixtures.h"
#include "host/base/files.h"
#include "host/base/json.h"
#include "host/base/log.h"
#include "host/config/resolved_config.h"
#include "host/plugin/plugin_error.h"
#include "host/run/artifact.h"
#include "host/run/pipeline.h"
#include "host/run/stage_check.h"
#include "http_server.h"
#include "rules.h"
#include "task/dataset.h"

namespace retort::host {
namespace {

namespace fs = std::filesystem;
using testing::HttpRequest;
using testing::HttpResponse;
using testing::HttpServer;

constexpr const char* key_variable = "RETORT_TEST_KEY";
constexpr const char* key = "sk-stays-in-the-header-42";
constexpr std::size_t rows = 24;

const Registry& registry() {
  static const Registry all = [] {
    SearchOptions options;
    options.libraries = {GENERATE_PLUGIN, PROTOTYPE_PLUGIN, HOME_PLUGIN,
                         REWARD_PLUGIN,   LLM_JUDGE_PLUGIN, OPENAI_PLUGIN};
    options.environment = false;
    options.allow_writable = true;
    return Registry(options);
  }();
  return all;
}

HttpResponse chat(Json message) {
  message["role"] = "assistant";
  const char* reason = message.contains("tool_calls") ? "tool_calls" : "stop";
  return {200, Json{{"choices", {{{"message", message}, {"finish_reason", reason}}}}}.dump(), ""};
}

/// Judges everything as right, and answers utterances by the rules.
HttpResponse answer(const HttpRequest& request) {
  const std::string content = Json::parse(request.body)["messages"][0]["content"];
  if (content.starts_with("You judge")) return chat({{"content", R"({"score": 1.0})"}});
  const rules::Answer found = rules::answer(content);
  Json message = {{"content", ""}};
  for (const Json& call : found.calls)
    message["tool_calls"].push_back({{"id", "1"},
                                     {"type", "function"},
                                     {"function", {{"name", call["name"]}, {"arguments", call["arguments"].dump()}}}});
  return chat(message);
}

class LabellingRun : public ::testing::Test {
 protected:
  void SetUp() override {
    ::setenv(key_variable, key, 1);
    start_log(true);
    clear_stop_request();
  }
  void TearDown() override { clear_stop_request(); }

  static Json openai(const HttpServer& server) {
    return {{"use", "teacher.openai"},
            {"base_url", server.base_url()},
            {"api_key", key_variable},
            {"concurrency", 1},
            {"first_wait", 0.01}};
  }
  static Json config(const HttpServer& server, const Json& reward) {
    return {{"name", "labelling"},
            {"seed", 5},
            {"stages",
             {{{"name", "utterances"},
               {"use", "stage.generate"},
               {"environment", {{"use", "environment.home"}}},
               {"train", rows},
               {"validation", 4},
               {"test", 4}},
              {{"name", "labels"},
               {"use", "stage.prototype"},
               {"inputs", {{"dataset", "utterances"}}},
               {"batch_size", 8},
               {"max_rejected_share", 0.9},
               {"teacher", openai(server)},
               {"reward", reward},
               {"environment", {{"use", "environment.home"}}}}}}};
  }
  ResolvedConfig resolve(const Json& json) const {
    write_json(folder_ / "config.json", json);
    std::vector<Diagnostic> diagnostics;
    const Config loaded = load_config(folder_ / "config.json", {}, diagnostics);
    ResolvedConfig resolved = resolve_config(loaded, registry(), diagnostics);
    if (!diagnostics.empty()) throw ConfigError(loaded.file, diagnostics);
    return resolved;
  }
  RunEnd run(const Json& json, const std::string& name) const {
    return run_pipeline(resolve(json), registry(), RunFolder(folder_ / name), {Verification::sizes, true});
  }
  std::string labels(const std::string& name) const {
    const fs::path artifact = RunFolder(folder_ / name).stage_link("labels");
    return read_file(artifact / "train.jsonl") + read_file(artifact / "rejected.jsonl");
  }

  tests::TemporaryFolder folder_;
};

const Json function_call = {{"use", "reward.function_call"}};

TEST_F(LabellingRun, AStoppedRunRepeatsNothing) {
  std::atomic<std::size_t> stop_at{1000};
  HttpServer server([&](const HttpRequest& request) {
    if (request.number == stop_at) request_stop();
    return answer(request);
  });
  EXPECT_EQ(run(config(server, function_call), "whole"), RunEnd::complete);
  EXPECT_EQ(server.requests(), rows);
  EXPECT_EQ(task::read_split(RunFolder(folder_ / "whole").stage_link("labels") / "test.jsonl").examples.size(), 4U);

  stop_at = rows + 12;  // in the middle of the second batch
  EXPECT_EQ(run(config(server, function_call), "stopped"), RunEnd::interrupted);
  const std::size_t before = server.requests() - rows;
  EXPECT_GE(before, 12U);
  EXPECT_LE(before, 14U);
  clear_stop_request();
  EXPECT_EQ(run(config(server, function_call), "stopped"), RunEnd::complete);
  EXPECT_LE(server.requests(), 2 * rows + 1);  // the request that the stop broke off is the only one sent twice
  EXPECT_EQ(labels("stopped"), labels("whole"));
}

TEST_F(LabellingRun, AChangedConfigAsksForWhatItChangedAlone) {
  HttpServer server(answer);
  Json json = config(server, function_call);
  EXPECT_EQ(run(json, "run"), RunEnd::complete);
  EXPECT_EQ(server.requests(), rows);
  json["stages"][1]["threshold"] = 0.9;  // another stage key, the same requests
  EXPECT_EQ(run(json, "run"), RunEnd::complete);
  EXPECT_EQ(server.requests(), rows);
  const Json facts = read_manifest(RunFolder(folder_ / "run").stage_link("labels")).facts;
  EXPECT_EQ(facts["teacher_answers_kept_from_earlier"], rows);
  EXPECT_EQ(facts["teacher_requests"], 0);
  json["stages"][1]["teacher"]["temperature"] = 0.5;
  EXPECT_EQ(run(json, "run"), RunEnd::complete);
  EXPECT_EQ(server.requests(), 2 * rows);
  EXPECT_NE(read_file(RunFolder(folder_ / "run").log()).find("settings changed since the last start"),
            std::string::npos);
}

TEST_F(LabellingRun, APreviewSaysWhatAllRowsWouldCostAndIsNotPaidForAgain) {
  HttpServer server(answer);
  Json json = config(server, function_call);
  json["stages"][1]["preview"] = 6;
  json["stages"][1]["teacher"]["usd_per_million_input_tokens"] = 2;
  EXPECT_EQ(run(json, "run"), RunEnd::complete);
  EXPECT_EQ(server.requests(), 6U);
  const Json facts = read_manifest(RunFolder(folder_ / "run").stage_link("labels")).facts;
  EXPECT_EQ(facts["preview_of_rows"], rows);
  EXPECT_EQ(facts["funnel_rows"], 6);
  EXPECT_GT(facts["teacher_usd"].get<double>(), 0);
  EXPECT_DOUBLE_EQ(facts["preview_whole_usd"], 4 * facts["teacher_usd"].get<double>());
  json["stages"][1]["preview"] = 0;
  EXPECT_EQ(run(json, "run"), RunEnd::complete);
  EXPECT_EQ(server.requests(), rows);
}

TEST_F(LabellingRun, ASpentBudgetEndsTheRunAndALargerOneGoesOn) {
  HttpServer server(answer);
  Json json = config(server, function_call);
  json["stages"][1]["teacher"]["concurrency"] = 16;
  json["stages"][1]["teacher"]["budget"] = {{"requests", 10}};
  try {
    run(json, "run");
    FAIL() << "the budget did not hold";
  } catch (const std::exception& error) {
    EXPECT_NE(std::string(error.what()).find("budget.requests allows 10 and 10 are spent"), std::string::npos)
        << error.what();
  }
  EXPECT_EQ(server.requests(), 10U);
  json["stages"][1]["teacher"]["budget"]["requests"] = rows;
  EXPECT_EQ(run(json, "run"), RunEnd::complete);
  EXPECT_EQ(server.requests(), rows);
}

TEST_F(LabellingRun, WhatIsRejectedForCertainEndsTheRunAndIsKept) {
  HttpServer server(
      [](const HttpRequest&) { return HttpResponse{400, R"({"error":{"message":"no tools here"}})", ""}; });
  Json json = config(server, function_call);
  json["stages"][1]["max_rejected_share"] = 0.5;
  try {
    run(json, "run");
    FAIL() << "a run without rows ended well";
  } catch (const std::exception& error) {
    const std::string said = error.what();
    EXPECT_NE(said.find("16 of 16 rows were rejected and 8 more are not asked about"), std::string::npos) << said;
    EXPECT_NE(said.find("no tools here"), std::string::npos) << said;
  }
  EXPECT_EQ(server.requests(), 16U);  // two batches of eight: more than half of 24
  EXPECT_NE(read_file(RunFolder(folder_ / "run").log()).find("the run failed: stage \"labels\""), std::string::npos);
  std::size_t kept = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder_ / "run" / "work"))
    if (entry.path().filename() == "rejected.jsonl")
      for (const char c : read_file(entry.path())) kept += c == '\n' ? 1 : 0;
  EXPECT_EQ(kept, 16U);
}

TEST_F(LabellingRun, TheKeyIsNowhereInTheRunFolder) {
  const HttpServer server([](const HttpRequest& request) {
    if (request.number == 3) return HttpResponse{403, std::string(R"({"error":{"message":"key )") + key + "\"}}", ""};
    return answer(request);
  });
  EXPECT_EQ(run(config(server, function_call), "run"), RunEnd::complete);
  EXPECT_NE(labels("run").find("teacher_error: status 403: key ***"), std::string::npos) << labels("run");
  for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) {
    if (!entry.is_regular_file()) continue;
    EXPECT_EQ(read_file(entry.path()).find(key), std::string::npos) << entry.path();
  }
  for (const HttpRequest& request : server.log())
    EXPECT_NE(request.head.find(std::string("Authorization: Bearer ") + key), std::string::npos);
}

TEST_F(LabellingRun, AJudgeMayStandBehindTheSameServer) {
  HttpServer server(answer);
  const Json judge = {{"use", "reward.llm_judge"}, {"teacher", openai(server)}};
  EXPECT_EQ(run(config(server, judge), "run"), RunEnd::complete);
  std::size_t judged = 0;
  for (const HttpRequest& request : server.log()) judged += request.body.find("You judge") != std::string::npos ? 1 : 0;
  EXPECT_EQ(server.requests(), rows + judged);
  const std::size_t accepted =
      task::read_split(RunFolder(folder_ / "run").stage_link("labels") / "train.jsonl").examples.size();
  EXPECT_EQ(accepted, judged);  // it finds everything right that it is asked about
  EXPECT_GT(accepted, rows / 2);
}

TEST_F(LabellingRun, WhatCannotWorkIsRefusedBeforeAnyRequest) {
  HttpServer server(answer);
  const auto findings = [&](const Json& json) {
    std::string all;
    for (const Diagnostic& finding : check_stages(resolve(json), registry())) all += to_string(finding) + "\n";
    return all;
  };
  EXPECT_EQ(findings(config(server, function_call)), "");
  Json wrong = config(server, {{"use", "reward.llm_judge"}, {"samples", 3}, {"teacher", openai(server)}});
  EXPECT_NE(findings(wrong).find("judgements at temperature 0 are all the same"), std::string::npos) << findings(wrong);
  wrong = config(server, function_call);
  wrong["stages"][1]["teacher"]["base_url"] = "localhost:80";
  EXPECT_NE(findings(wrong).find("base_url: expected http://"), std::string::npos) << findings(wrong);
  ::unsetenv(key_variable);
  const std::string unset = findings(config(server, function_call));
  EXPECT_NE(unset.find(key_variable), std::string::npos) << unset;
  EXPECT_EQ(server.requests(), 0U);
}

}  // namespace
}  // namespace retort::host
