// What a stage, a file or a folder may do to a run: each is refused, or named as a failure, and leaves no lie behind.
#include <sys/stat.h>

#include <set>

#include "fault_fixture.h"

namespace retort::faults {
namespace {

class RunFaults : public FaultTest {};

class UnaskedExit : public FaultTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(UnaskedExit, IsAFailureByName) {
  write_config({source(), count("before"), faulty("guilty", "nothing")});
  ASSERT_EQ(retort("run").code, 0);
  ASSERT_TRUE(fs::exists(run() / "report.html"));
  const Outcome outcome = retort("run", {"--set", std::string("guilty.what=") + GetParam()});
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_HAS(outcome.err, "stage \"guilty\" (stage.faulty) ended the process");
  EXPECT_EQ(record()["state"], "failed");
  EXPECT_HAS(record()["error"].get<std::string>(), "stage \"guilty\"");
  EXPECT_EQ(record()["stages"][2]["state"], "failed");
  EXPECT_HAS(host::read_file(run() / "report.html"), "ended the process");
  EXPECT_EQ(retort("run").code, 0) << "and the run goes on once it is mended";
}
INSTANTIATE_TEST_SUITE_P(Ways, UnaskedExit, ::testing::Values("exits", "quick_exits", "ends"));

TEST_F(RunFaults, AStartingRunRemovesWhatTheOneBeforeLeft) {
  write_config({source(), count("last", {{"steps", 3}})});
  ASSERT_EQ(retort("run").code, 0);
  for (const char* name : {"model", "report.html", "metrics.jsonl"}) ASSERT_TRUE(fs::exists(run() / name)) << name;
  const ChildCommand child(folder_, arguments("run", {"--set", "last.steps=9", "--set", "last.step_ms=10000"}));
  EXPECT_TRUE(wait_for([&] { return record()["state"] == "running" && record()["stages"][1]["state"] == "running"; }));
  for (const char* name : {"model", "report.html", "metrics.jsonl"}) EXPECT_FALSE(fs::exists(run() / name)) << name;
  ::kill(child.id(), SIGKILL);
  child.wait();
}

TEST_F(RunFaults, AFlippedByteOfAnInputIsMadeAnewBeforeAnybodyReadsIt) {
  write_config({source(), count("count", {{"steps", 3}})});
  ASSERT_EQ(retort("run").code, 0);
  const std::string before = manifest("count")["sha256"];
  const fs::path file = fs::canonical(run() / "stages" / "source" / "train.jsonl");
  std::string content = host::read_file(file);
  content[2] ^= 1;
  fs::permissions(file, fs::perms::owner_all);
  std::ofstream(file) << content;  // the size stays
  // Nothing reads it, so nothing notices; then a stage does.
  EXPECT_EQ(retort("run").code, 0);
  const Outcome outcome = retort("run", {"--set", "count.steps=4"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_HAS(outcome.err, "its content does not match its SHA-256; set aside as");
  EXPECT_NE(host::read_file(run() / "stages" / "source" / "train.jsonl"), content);
  EXPECT_EQ(retort("run").code, 0);
  EXPECT_EQ(manifest("count")["sha256"], before);
}

TEST_F(RunFaults, AnArtifactIsSealedReadOnlyAndCanBeRemoved) {
  write_config({source(), count("count", {{"steps", 3}})});
  ASSERT_EQ(retort("run").code, 0);
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(run() / "artifacts")) {
    if (!entry.is_regular_file()) continue;
    ++files;
    EXPECT_EQ(entry.status().permissions(), fs::perms::owner_read | fs::perms::group_read | fs::perms::others_read)
        << entry.path();
  }
  EXPECT_GE(files, 5);
  std::error_code error;
  fs::remove_all(run(), error);
  EXPECT_FALSE(error) << error.message();
}

TEST_F(RunFaults, AStageThatWritesIntoItsInputIsVoid) {
  write_config({source(), faulty("writer", "spoils_input", {{"inputs", {{"dataset", "source"}}}})});
  const Outcome outcome = retort("run");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_HAS(outcome.err, "stage \"writer\" is void: its input \"dataset\" was changed while it ran");
  EXPECT_FALSE(fs::exists(run() / "stages" / "writer"));
  const Outcome mended = retort("run", {"--set", "writer.what=nothing"});
  EXPECT_EQ(mended.code, 0) << mended.err;
  EXPECT_LACKS(host::read_file(run() / "stages" / "source" / "train.jsonl"), "spoilt");
}

TEST_F(RunFaults, AStageMayBeNamedLikeATemporaryFile) {
  write_config({source("small.tmp-1"), source("small"), source("small.tmp-link"), source("a.jsonl.tmp-2")});
  ASSERT_EQ(retort("run").code, 0);
  const Outcome again = retort("run");
  EXPECT_EQ(again.code, 0);
  for (const char* name : {"small.tmp-1", "small", "small.tmp-link", "a.jsonl.tmp-2"}) {
    EXPECT_HAS(again.err, std::string(name) + ": cached");
    EXPECT_TRUE(fs::exists(run() / "stages" / name / "train.jsonl")) << name;
  }
}

TEST_F(RunFaults, DeepNestingIsRefusedWhereverItComesFrom) {
  write_config({source(), faulty("deep", "deep_fact")});
  const std::string brackets(60000, '[');
  const Outcome check = retort("check", {"--set", "source.label=" + brackets});
  EXPECT_EQ(check.code, 2) << check.err;
  const Outcome closed = retort("check", {"--set", "source.label=" + brackets + std::string(60000, ']')});
  EXPECT_EQ(closed.code, 2) << closed.err;
  const Outcome fact = retort("run");
  EXPECT_EQ(fact.code, 2) << fact.err;
  EXPECT_HAS(fact.err, "reported fact \"deep\"");
  EXPECT_HAS(log(), "reported fact \"deep\"");
  EXPECT_EQ(record()["state"], "failed");
}

TEST_F(RunFaults, TextsThatAreNotUtf8AreRecordedAndNeverReachTheTerminalRaw) {
  for (const char* what : {"bad_text", "bad_log", "bad_fact_name", "bad_file_name"}) {
    write_config({source(), faulty("speaker", what)});
    const Outcome outcome = retort("run");
    const bool fails = what == std::string("bad_text") || what == std::string("bad_file_name");
    EXPECT_EQ(outcome.code != 0, fails) << what << outcome.err;
    EXPECT_EQ(record()["state"], fails ? "failed" : "complete") << what;
    if (what == std::string("bad_text")) {
      EXPECT_HAS(outcome.err, "\\x1b[31mred");
      EXPECT_HAS(record()["error"].get<std::string>(), "\xEF\xBF\xBD(");
    }
    for (const std::string& text : {outcome.err, outcome.out, log()})
      for (const char bad : {'\x1b', '\x07', '\xC3', '\xFF'})
        EXPECT_EQ(text.find(bad), std::string::npos) << what << ": " << text;
  }
  EXPECT_HAS(log(), "\\x1b[2Jcleared \xEF\xBF\xBD");
}

TEST_F(RunFaults, PipesDevicesAndEmptyPathsAreFindings) {
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  write_config({faulty("reader", "nothing", {{"path", "pipe"}}),
                {{"name", "import"}, {"use", "stage.import_model"}, {"path", ""}}});
  const auto start = std::chrono::steady_clock::now();
  const Outcome pipe = retort("check");
  EXPECT_EQ(pipe.code, 2) << pipe.err;
  EXPECT_HAS(pipe.err, "/stages/0/path: expected a file or folder, found a pipe, socket or device");
  EXPECT_HAS(pipe.err, "/stages/1/path: expected a file or folder, found an empty path");
  const Outcome zero = retort("check", {"--set", "reader.path=/dev/zero"});
  EXPECT_EQ(zero.code, 2);
  EXPECT_HAS(zero.err, "found a pipe, socket or device: /dev/zero");
  EXPECT_EQ(ChildCommand(folder_, {"check", "/dev/zero"}).wait().code, 1) << "a config that never ends";
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
}

TEST_F(RunFaults, ARoundingModeEndsWithTheCallThatSetIt) {
  write_config({faulty("quiet", "nothing"), faulty("after", "nothing")});
  ASSERT_EQ(retort("run").code, 0);
  const std::string third = host::read_file(run() / "stages" / "after" / "third.txt");
  write_config({faulty("quiet", "rounds"), faulty("after", "nothing")});
  fs::remove_all(run());
  const Outcome outcome = retort("run");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_HAS(outcome.err, "stage \"quiet\" (stage.faulty): changed how this thread rounds");
  EXPECT_EQ(host::read_file(run() / "stages" / "after" / "third.txt"), third);
  EXPECT_NE(host::read_file(run() / "stages" / "quiet" / "third.txt"), third) << "the fault is no fault here";
}

/// A plugin's shutdown() that hangs or crashes, after everything was written.
TEST_F(RunFaults, ABadShutdownDoesNotUndoASuccess) {
  write_config({source(), count("count", {{"steps", 2}, {"scorer", {{"use", "reward.plain"}}}})},
               {TEST_STAGES_PLUGIN, TEST_PLUGINS "/plain.so"});
  for (const char* fault : {"crash", "hang"}) {
    ::setenv("RETORT_TEST_SHUTDOWN", fault, 1);
    const auto start = std::chrono::steady_clock::now();
    const Outcome outcome = retort("run", {"--set", std::string("seed=") + (fault[0] == 'c' ? "1" : "2")});
    ::unsetenv("RETORT_TEST_SHUTDOWN");
    EXPECT_EQ(outcome.code, 0) << fault << outcome.err;
    EXPECT_HAS(outcome.err, "plain.so'");
    EXPECT_HAS(outcome.err, fault[0] == 'c' ? "crashed at the end of the process" : "did not return within 5 s");
    EXPECT_EQ(record()["state"], "complete");
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
  }
}

TEST_F(RunFaults, ARebuiltPluginOfTheSameVersionRunsAnew) {
  const fs::path library = folder_ / "faulty.so";
  fs::copy_file(FAULTY_PLUGIN, library);
  write_config(Json::array({faulty("stage", "nothing")}), Json::array({library.string()}));
  ASSERT_EQ(retort("run").code, 0);
  fs::remove(library);
  fs::copy_file(FAULTY_PLUGIN, library);
  EXPECT_HAS(retort("plan").out, "stage (stage.faulty): cached") << "the same bytes are the same plugin";
  fs::remove(library);
  fs::copy_file(FAULTY_PLUGIN_REBUILT, library);
  EXPECT_HAS(retort("plan").out, "the plugin was built anew");
  const Outcome outcome = retort("run");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_HAS(outcome.err, "the plugin was built anew");
  EXPECT_LACKS(outcome.err, ": cached");
}

TEST_F(RunFaults, ParametersThatAConfigUsesItselfAreRefused) {
  write_config(Json::array({source()}), {TEST_STAGES_PLUGIN, TEST_PLUGINS "/parameter_called_use.so"});
  const Outcome outcome = retort("check");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_HAS(outcome.err, "has a parameter \"use\", which a config uses for something else");
}

class Signals : public FaultTest {
 protected:
  /// Starts a stage that counts a step every 100 ms, and `end`s it after some.
  template <typename End>
  void expect_resumes(const std::vector<std::string>& command, const End& end) {
    write_config({source(), count("count", {{"steps", 400}, {"step_ms", 50}})});
    const pid_t child = ::fork();
    if (child == 0) {
      ::setenv("HOME", folder_.c_str(), 1);
      ::setenv("XDG_CACHE_HOME", folder_.c_str(), 1);
      ::signal(SIGHUP, SIG_DFL);  // whatever started the tests
      std::vector<char*> values;
      for (const std::string& part : command) values.push_back(const_cast<char*>(part.c_str()));
      values.push_back(nullptr);
      ::execv(values[0], values.data());
      ::_exit(127);
    }
    const fs::path work = run() / "work";
    ASSERT_TRUE(wait_for([&] { return fs::exists(work) && has_checkpoint(work); }));
    end(child);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 130);
    EXPECT_EQ(record()["state"], "interrupted");
    EXPECT_TRUE(has_checkpoint(work));
  }
  static bool has_checkpoint(const fs::path& work) {
    for (const auto& entry : fs::directory_iterator(work))
      if (fs::exists(entry.path() / "checkpoint")) return true;
    return false;
  }
  std::vector<std::string> shell(const std::string& before, const std::string& after) const {
    std::string line = before + " '" RETORT_COMMAND "'";
    for (const std::string& argument : arguments("run")) line += " '" + argument + "'";
    return {"/bin/bash", "-c", line + after};
  }
};

TEST_F(Signals, AreStopsThatLeaveACheckpoint) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    SCOPED_TRACE(signal);
    expect_resumes(shell("exec", " 2>/dev/null"), [&](pid_t child) { ::kill(child, signal); });
    fs::remove_all(run());
  }
}

TEST_F(Signals, AClosedStandardErrorIsOne) {
  write_config({source(), faulty("waits", "waits")});
  // The reader of the pipe goes after the first line.
  const std::string line =
      shell("set -o pipefail;", " 2>&1 >/dev/null | head -n 3 >/dev/null; exit ${PIPESTATUS[0]}")[2];
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("HOME", folder_.c_str(), 1);
    ::execl("/bin/bash", "bash", "-c", line.c_str(), nullptr);
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 130);
  EXPECT_EQ(record()["state"], "interrupted");
}

TEST_F(Signals, DescriptorsThatAreClosedFromTheStartAreNotReused) {
  write_config({source(), faulty("speaker", "bad_log")});
  const std::string line = shell("exec", " <&- >&- 2>&-")[2];
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("HOME", folder_.c_str(), 1);
    ::execl("/bin/bash", "bash", "-c", line.c_str(), nullptr);
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(record()["state"], "complete");
  for (const auto& entry : fs::recursive_directory_iterator(run() / "artifacts"))
    if (entry.is_regular_file()) {
      EXPECT_LACKS(host::read_file(entry.path()), "[1/2]") << entry.path();
    }
}

/// A library that computes what stages ask for, built anew to other bytes: an installation of its own, in which one
/// byte more stands at the end of libretort-core.
TEST_F(RunFaults, AnotherBuildOfRetortMakesStagesAnew) {
  const fs::path built = fs::path(RETORT_COMMAND).parent_path().parent_path() / "lib", own = folder_ / "lib";
  fs::create_directories(own / "retort");
  fs::copy_file(built / "retort/retort-plugin-scan", own / "retort/retort-plugin-scan");
  for (const auto& entry : fs::directory_iterator(built))
    if (entry.path().filename().string().starts_with("libretort-core.so."))
      fs::copy_file(entry.path(), own / entry.path().filename());
  write_config({source(), count("last")}, {TEST_STAGES_PLUGIN});
  ::setenv("LD_LIBRARY_PATH", own.c_str(), 1);
  const Outcome first = retort("run"), same = retort("plan", {"--json"});
  for (const auto& entry : fs::directory_iterator(own))
    if (entry.is_regular_file()) std::ofstream(entry.path(), std::ios::app) << '\n';
  const Outcome other = retort("plan", {"--json"}), second = retort("run");
  ::unsetenv("LD_LIBRARY_PATH");
  ASSERT_EQ(first.code, 0) << first.err;
  ASSERT_EQ(same.code, 0) << same.err;
  for (const Json& stage : Json::parse(same.out)) EXPECT_EQ(stage["action"], "cached") << stage;
  ASSERT_EQ(other.code, 0) << other.err;
  const Json plan = Json::parse(other.out);
  EXPECT_EQ(plan[0]["action"], "run") << plan;
  EXPECT_HAS(plan[0]["reason"].get<std::string>(), "libraries/libretort-core: Retort itself was built anew");
  EXPECT_EQ(second.code, 0) << second.err;
  for (const Json& stage : record()["stages"]) EXPECT_EQ(stage["state"], "complete") << stage;
}

}  // namespace
}  // namespace retort::faults
