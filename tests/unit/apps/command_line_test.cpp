// The command line as users and scripts see it: exit codes, messages, --help.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "child_command.h"

namespace retort::apps {
namespace {

using Json = nlohmann::json;

class CommandLineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "retort-cli-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Outcome retort(const std::vector<std::string>& arguments, const std::filesystem::path& out = {}) const {
    return ChildCommand(folder_, arguments, out).wait();
  }
  /// Also gives --run-dir and lets the test plugin lie in a build folder of any mode.
  std::vector<std::string> on_config(const std::string& command, std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {command, (folder_ / "config.json").string(), "--allow-writable-plugins"});
    if (command != "check") more.insert(more.end(), {"--run-dir", run_folder()});
    return more;
  }
  std::string run_folder() const { return (folder_ / "run").string(); }
  void write_config(const Json& changes = Json::object()) const {
    Json json = Json::parse(R"({"name": "tiny", "stages": [
      {"name": "source", "use": "stage.test_source"},
      {"name": "count", "use": "stage.test_count", "inputs": {"dataset": "source"}},
      {"name": "report", "use": "stage.test_report", "inputs": {"models": "count"}},
      {"name": "quick", "use": "stage.test_count", "inputs": {"dataset": "source", "teacher": "count"}}]})");
    json["plugins"] = {TEST_STAGES_PLUGIN};
    json.update(changes);
    std::ofstream(folder_ / "config.json") << json.dump(2);
  }
  std::filesystem::path folder_;
};

TEST_F(CommandLineTest, VersionAndHelp) {
  EXPECT_EQ(retort({"--version"}).out, "retort " RETORT_VERSION "\n");
  const Outcome help = retort({"help"});
  EXPECT_EQ(help.code, 0);
  for (const char* command : {"run", "sweep", "check", "plan", "show", "call", "eval", "perplexity", "verify", "pack",
                              "generate", "tokenize", "template", "bench", "import", "export", "plugins"})
    EXPECT_NE(help.out.find(command), std::string::npos) << command;
  EXPECT_EQ(retort({"--help"}).out, help.out);
  EXPECT_EQ(retort({}).code, 2);
}

TEST_F(CommandLineTest, EveryCommandHasHelpWithAnExample) {
  for (const char* command : {"run", "sweep", "check", "plan", "show", "call", "eval", "perplexity", "verify", "pack",
                              "generate", "tokenize", "template", "bench", "import", "export", "plugins"}) {
    const Outcome help = retort({command, "--help"});
    EXPECT_EQ(help.code, 0) << command << help.err;
    EXPECT_NE(help.out.find(std::string("retort ") + command), std::string::npos) << command;
    const bool has_subcommands = command == std::string("plugins");  // each with its own example
    EXPECT_TRUE(has_subcommands || help.out.find("example: retort ") != std::string::npos) << command;
    EXPECT_EQ(help.err, "") << command;
  }
  for (const char* subcommand : {"list", "show", "check"})
    EXPECT_NE(retort({"plugins", subcommand, "--help"}).out.find("example: retort plugins"), std::string::npos);
  EXPECT_EQ(retort({"help", "run"}).out, retort({"run", "--help"}).out);
}

TEST_F(CommandLineTest, SweepRunsEveryCombinationAndMakesWhatComesBeforeOnce) {
  write_config();
  const auto sweep = [&](std::vector<std::string> more) {
    more.push_back("--quiet");
    return retort(on_config("sweep", std::move(more)));
  };
  const Outcome done = sweep({"--over", "quick.steps=2,3", "--over", "quick.step_ms=0,1"});
  EXPECT_EQ(done.code, 0) << done.err;
  const Json runs = Json::parse(std::ifstream(folder_ / "run" / "sweep.json"))["runs"];
  ASSERT_EQ(runs.size(), 4u);
  EXPECT_EQ(runs[0]["set"], Json({"quick.steps=2", "quick.step_ms=0"}));
  EXPECT_EQ(runs[3]["set"], Json({"quick.steps=3", "quick.step_ms=1"}));
  std::set<std::string> artifacts, sources;
  for (const Json& run : runs)
    for (const Json& stage : run["results"]["stages"])
      (stage["name"] == "quick" ? artifacts : sources).insert(stage["artifact"]);
  EXPECT_EQ(artifacts.size(), 4u);
  EXPECT_EQ(sources.size(), 3u);  // source, count and report: once each
  EXPECT_EQ(runs[0]["made"], 4);
  EXPECT_EQ(runs[1]["made"], 1);
  EXPECT_NE(done.out.find("quick.steps  quick.step_ms"), std::string::npos) << done.out;
  const Outcome again = sweep({"--over", "quick.steps=2,3", "--over", "quick.step_ms=0,1"});
  EXPECT_EQ(again.code, 0) << again.err;
  for (const Json& run : Json::parse(std::ifstream(folder_ / "run" / "sweep.json"))["runs"]) EXPECT_EQ(run["made"], 0);
}

TEST_F(CommandLineTest, SweepSaysWhatIsWrongBeforeAnyWork) {
  write_config();
  const auto refused = [&](std::vector<std::string> more, const std::string& what) {
    const Outcome outcome = retort(on_config("sweep", std::move(more)));
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_NE(outcome.err.find(what), std::string::npos) << outcome.err;
    EXPECT_FALSE(std::filesystem::exists(run_folder()));
  };
  refused({"--over", "quick.steps=2,-1"}, "/stages/3/steps");
  refused({"--over", "quick.steps=2,"}, "expected values between commas");
  refused({"--over", "quick.steps"}, "expected KEY=VALUE");
  refused({}, "--over");
}

TEST_F(CommandLineTest, NeedsNoLibTorch) {
  std::string libraries;
  std::FILE* pipe = ::popen("ldd '" RETORT_COMMAND "'", "r");
  ASSERT_NE(pipe, nullptr);
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) libraries += static_cast<char>(c);
  if (::pclose(pipe) != 0) GTEST_SKIP() << "no ldd here";
  EXPECT_NE(libraries.find("retort-core"), std::string::npos) << libraries;
  for (const char* library : {"torch", "c10", "cuda"})
    EXPECT_EQ(libraries.find(library), std::string::npos) << libraries;
}

TEST_F(CommandLineTest, UnknownCommandSuggestsTheNearest) {
  const Outcome outcome = retort({"rnu"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("did you mean 'run'?"), std::string::npos) << outcome.err;
}

TEST_F(CommandLineTest, WrongArgumentsAreUsageErrors) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"run"},
                                             {"run", "--no-such-option"},
                                             {"check", "a", "b"},
                                             {"call", "model"},
                                             {"call", "m", "t", "--messages", "f"},
                                             {"call", "m", "t", "--time", "x"},
                                             {"call", "m", "t", "--time", "-1"},
                                             {"eval"},
                                             {"show"},
                                             {"tokenize"},
                                             {"tokenize", "t", "--decode", "--begin"},
                                             {"tokenize", "t", "--skip-special"},
                                             {"bench"},
                                             {"bench", "m", "--random", "qwen2.5-0.5b"},
                                             {"bench", "--random", "no-such-shape"},
                                             {"bench", "--random", "smollm2-135m", "--quant", "int3"},
                                             {"bench", "--random", "smollm2-135m", "-p", "0", "-n", "0"},
                                             {"bench", "--random", "smollm2-135m", "--batch", "1,,8"},
                                             {"bench", "--random", "smollm2-135m", "--batch", "65"},
                                             {"bench", "--random", "smollm2-135m", "--kv-cache", "f8"},
                                             {"bench", "m", "--save", "s"},
                                             {"generate", "m", "p", "--logit-bias", "3:1"},
                                             {"generate", "m", "p", "--logit-bias", "3=nan"},
                                             {"generate", "m", "p", "--top-logprobs", "-1"},
                                             {"show", "/does/not/exist"},
                                             {"plan", "--quie"}}) {
    const Outcome outcome = retort(arguments);
    EXPECT_EQ(outcome.code, 2) << arguments[0] << outcome.err;
    EXPECT_EQ(outcome.out, "") << arguments[0];
    EXPECT_NE(outcome.err.find("error: "), std::string::npos) << arguments[0] << outcome.err;
  }
}

TEST_F(CommandLineTest, AbsentFilesAreNamed) {
  const Outcome config = retort({"check", (folder_ / "absent.json").string()});
  EXPECT_EQ(config.code, 1);
  EXPECT_NE(config.err.find("absent.json"), std::string::npos) << config.err;
  for (const char* command : {"call", "eval"}) {
    const Outcome model = retort({command, (folder_ / "absent").string(), (folder_ / "absent").string()});
    EXPECT_NE(model.code, 0) << command;
    EXPECT_NE(model.err.find("absent"), std::string::npos) << model.err;
  }
}

TEST_F(CommandLineTest, CheckReportsEveryMistakeAtOnce) {
  write_config();
  const Outcome good = retort(on_config("check"));
  EXPECT_EQ(good.code, 0) << good.err;
  EXPECT_NE(good.out.find("ok, 4 stages"), std::string::npos) << good.out;
  const Outcome bad = retort(on_config("check", {"--set", "sead=1", "--set", "threads=0", "--set", "count.stepz=1",
                                                 "--set", "source.rows=x", "--set", "quick.inputs.teacher=report"}));
  EXPECT_EQ(bad.code, 2);
  for (const char* pointer :
       {"5 mistakes", "/sead", "/threads", "/stages/1/stepz", "/stages/0/rows", "/stages/3/inputs/teacher"})
    EXPECT_NE(bad.err.find(pointer), std::string::npos) << pointer << bad.err;
}

TEST_F(CommandLineTest, CheckPrintsTheResolvedConfig) {
  write_config();
  const Outcome outcome = retort(on_config("check", {"--resolved", "--set", "count.steps=9"}));
  const Json config = Json::parse(outcome.out);
  EXPECT_EQ(config["stages"][1]["steps"], 9);
  EXPECT_EQ(config["stages"][3]["steps"], 5);
}

TEST_F(CommandLineTest, RunPrintsTableAndPaths) {
  write_config();
  const Outcome outcome = retort(on_config("run"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  for (const char* text : {"accuracy", "count", "75.0%", "report.html", "run/model", "time"})
    EXPECT_NE(outcome.out.find(text), std::string::npos) << text << outcome.out;
  EXPECT_EQ(outcome.err.find('\r'), std::string::npos) << "no redrawn bars when it is not a terminal";

  const Json show = Json::parse(retort({"show", run_folder(), "--json"}).out);
  EXPECT_EQ(show["state"], "complete");
  ASSERT_EQ(show["stages"].size(), 4u);
  EXPECT_EQ(show["stages"][1]["exact_match"], 0.75);
  EXPECT_EQ(show["stages"][1]["params"], 5000);
  EXPECT_TRUE(show["stages"][3]["exact_match"].is_null());
  EXPECT_EQ(show["stages"][3]["stage"], "stage.test_count");

  EXPECT_NE(retort({"show", run_folder()}).out.find("75.0%"), std::string::npos);
  const Outcome artifact = retort({"show", run_folder() + "/stages/count"});
  EXPECT_NE(artifact.out.find("weights/model.safetensors"), std::string::npos) << artifact.out << artifact.err;
  EXPECT_EQ(Json::parse(retort({"show", run_folder() + "/model", "--json"}).out)["kind"], "model");

  const Outcome plan = retort(on_config("plan", {"--json", "--set", "quick.steps=9"}));
  ASSERT_EQ(plan.code, 0) << plan.err;
  EXPECT_EQ(Json::parse(plan.out)[1]["action"], "cached");
  EXPECT_EQ(Json::parse(plan.out)[3]["action"], "run");
}

TEST_F(CommandLineTest, QuietRunSaysNothingBesidesTheResult) {
  write_config();
  const Outcome outcome = retort(on_config("run", {"--quiet"}));
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.err, "");
}

TEST_F(CommandLineTest, FailingStageIsExitCodeOne) {
  write_config();
  const Outcome outcome = retort(on_config("run", {"--set", "count.fail_at=2"}));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("step 2 failed as told"), std::string::npos) << outcome.err;
  EXPECT_NE(retort({"show", run_folder()}).out.find("failed"), std::string::npos);
}

TEST_F(CommandLineTest, CtrlCIsExitCode130AndTheRunGoesOn) {
  write_config();
  ChildCommand child(folder_, on_config("run", {"--set", "count.steps=1000", "--set", "count.step_ms=10"}));
  for (int i = 0; i < 3000 && !std::filesystem::exists(folder_ / "run/stages/source"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  ::kill(child.id(), SIGINT);
  const Outcome outcome = child.wait();
  EXPECT_EQ(outcome.code, 130) << outcome.err;
  EXPECT_NE(outcome.err.find("goes on from here"), std::string::npos) << outcome.err;
  EXPECT_EQ(Json::parse(retort({"show", run_folder(), "--json"}).out)["state"], "interrupted");
  EXPECT_EQ(retort(on_config("run")).code, 0);
}

TEST_F(CommandLineTest, KilledRunIsCalledKilled) {
  write_config();
  ChildCommand child(folder_, on_config("run", {"--set", "count.steps=1000", "--set", "count.step_ms=10"}));
  for (int i = 0; i < 3000 && !std::filesystem::exists(folder_ / "run/stages/source"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(
      Json::parse(ChildCommand(folder_, {"show", run_folder(), "--json"}, folder_ / "show.json").wait().out)["state"],
      "running");
  ::kill(child.id(), SIGKILL);
  child.wait();
  EXPECT_EQ(Json::parse(retort({"show", run_folder(), "--json"}).out)["state"], "killed");
}

TEST_F(CommandLineTest, ShowsSlotsWhatFitsThemAndAnExample) {
  const std::string folder = std::filesystem::path(TEST_STAGES_PLUGIN).parent_path().string();
  const std::vector<std::string> options = {"--plugin-path", folder, "--allow-writable-plugins"};
  const auto show = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"plugins", "show"});
    arguments.insert(arguments.end(), options.begin(), options.end());
    return retort(arguments);
  };
  const Outcome strict = show({"reward.test_strict"});
  ASSERT_EQ(strict.code, 0) << strict.err;
  EXPECT_NE(strict.out.find("slot judge: retort.teacher/1: whom to ask\n"), std::string::npos) << strict.out;
  EXPECT_NE(strict.out.find("teacher.test_echo"), std::string::npos) << strict.out;
  const Outcome json = show({"reward.test_strict", "--json"});
  const Json shown = Json::parse(json.out);
  EXPECT_EQ(shown["slots"][0]["interface"], "retort.teacher/1");
  EXPECT_EQ(shown["slots"][0]["optional"], false);
  EXPECT_EQ(shown["example"]["use"], "reward.test_strict");
  EXPECT_TRUE(shown["example"]["judge"]["use"].get<std::string>().starts_with("teacher."));
  const Outcome count = show({"stage.test_count"});
  EXPECT_NE(count.out.find("input teacher: model (optional)"), std::string::npos) << count.out;
  EXPECT_NE(count.out.find("\"inputs\": {\"dataset\": \"<a stage that makes a dataset>\"}"), std::string::npos)
      << count.out;
  EXPECT_NE(show({"reward.test_keyed"}).out.find("key: string, the name of an environment variable"),
            std::string::npos);
}

TEST_F(CommandLineTest, CheckAndRunRefuseWhatComponentsAndStagesRefuse) {
  write_config();
  const std::vector<std::string> impossible = {"--set",
                                               R"(count.scorer={"use": "reward.test_trouble", "what": "asks"})"};
  for (const char* command : {"check", "run"}) {
    const Outcome outcome = retort(on_config(command, impossible));
    EXPECT_EQ(outcome.code, 2) << command << outcome.err;
    EXPECT_NE(outcome.err.find("/stages/1/scorer: asks for the impossible"), std::string::npos) << outcome.err;
  }
  EXPECT_FALSE(std::filesystem::exists(run_folder())) << "refused before any work";
}

TEST_F(CommandLineTest, FullStandardOutputIsAFailure) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  EXPECT_EQ(retort({"help"}, "/dev/full").code, 1);
}

TEST_F(CommandLineTest, PinnedPluginThatChangedIsRefused) {
  write_config({{"plugins", {{{"path", TEST_STAGES_PLUGIN}, {"sha256", std::string(64, '0')}}}}});
  const Outcome outcome = retort(on_config("check"));
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("test_stages_plugin"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace retort::apps
