// Runs that are killed, stopped, or run out of disk: what is left is whole, and the next run ends as if nothing had
// happened.
#include <sys/resource.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "host/run/interruption.h"
#include "host/run/pipeline.h"
#include "pipeline_fixture.h"

namespace retort::host {
namespace {

class InterruptedPipelineTest : public PipelineTest {
 protected:
  static Json slow_chain() {
    Json json = chain();
    json["stages"][1]["steps"] = 40;
    json["stages"][1]["step_ms"] = 10;
    return json;
  }

  /// Runs in a child process, which exits with 0 complete, 1 failed, 130 interrupted.
  pid_t start(const Json& json, rlim_t file_size_limit = RLIM_INFINITY) {
    const ResolvedConfig config = resolve(json);
    const Registry& plugins = registry();
    const pid_t child = ::fork();
    if (child != 0) return child;
    install_signal_handlers();
    const rlimit limit{file_size_limit, file_size_limit};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    int code = 1;
    try {
      code = run_pipeline(config, plugins, run_folder(), {Verification::sizes, true}) == RunEnd::complete ? 0 : 130;
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
    }
    ::_exit(code);
  }
  static int wait(pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  /// Waits until the stage has at least `count` metric lines; fails the test after 30 s.
  void wait_for_steps(std::size_t count) const {
    const std::filesystem::path folder = run_folder().path() / "metrics";
    for (int i = 0; i < 3000; ++i) {
      std::error_code ignored;
      if (std::filesystem::exists(folder, ignored))
        for (const auto& entry : std::filesystem::directory_iterator(folder))
          if (entry.path().filename().string().starts_with("count-") && entry.path().extension() == ".jsonl" &&
              read_metrics(entry.path()).size() >= count)
            return;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    FAIL() << "the stage did not come to step " << count;
  }
  /// Every artifact that is there is what its manifest says.
  void expect_only_whole_artifacts() const {
    if (!std::filesystem::exists(run_folder().artifacts())) return;
    for (const auto& entry : std::filesystem::directory_iterator(run_folder().artifacts())) {
      if (entry.path().filename().string().starts_with(".tmp-")) continue;
      EXPECT_EQ(damage(entry.path(), read_manifest(entry.path()), Verification::full), "");
    }
  }
  std::vector<std::string> undisturbed() const {
    run(slow_chain(), {}, "undisturbed");
    return hashes("undisturbed");
  }
};

TEST_F(InterruptedPipelineTest, KilledAtSeveralMomentsEndsWithTheSameBytes) {
  const auto expected = undisturbed();
  for (const std::size_t steps : {1u, 7u, 20u, 39u}) {
    const pid_t child = start(slow_chain());
    wait_for_steps(steps);
    ::kill(child, SIGKILL);
    ASSERT_EQ(wait(child), -SIGKILL);
    expect_only_whole_artifacts();
    EXPECT_FALSE(RunLock::held(run_folder())) << "a killed process holds no lock";
    EXPECT_EQ(plan_pipeline(resolve(slow_chain()), run_folder(), Verification::full)[1].action, "resume");
  }
  ASSERT_EQ(run(slow_chain()), RunEnd::complete);
  EXPECT_EQ(hashes(), expected);
  EXPECT_EQ(metric_keys(), metric_keys("undisturbed"));
}

TEST_F(InterruptedPipelineTest, KilledAnywhereLeavesWholeArtifactsOnly) {
  const auto expected = undisturbed();
  for (int i = 0; i < 12; ++i) {
    const pid_t child = start(slow_chain());
    std::this_thread::sleep_for(std::chrono::milliseconds(3 + 11 * i));
    ::kill(child, SIGKILL);
    wait(child);
    expect_only_whole_artifacts();
  }
  ASSERT_EQ(run(slow_chain()), RunEnd::complete);
  EXPECT_EQ(hashes(), expected);
  EXPECT_EQ(metric_keys(), metric_keys("undisturbed"));
}

TEST_F(InterruptedPipelineTest, CtrlCStopsAtTheNextStepAndTheRunGoesOn) {
  const auto expected = undisturbed();
  const pid_t child = start(slow_chain());
  wait_for_steps(5);
  ::kill(child, SIGINT);
  EXPECT_EQ(wait(child), 130);
  EXPECT_EQ(record()["state"], "interrupted");
  EXPECT_EQ(stage_state("count"), "interrupted");
  EXPECT_EQ(stage_state("source"), "complete");
  EXPECT_GE(metric_keys().size(), 5u);
  ASSERT_EQ(run(slow_chain()), RunEnd::complete);
  EXPECT_EQ(hashes(), expected);
  EXPECT_EQ(metric_keys(), metric_keys("undisturbed"));
}

TEST_F(InterruptedPipelineTest, StageThatDoesNotListenIsStoppedByTheSecondSignal) {
  Json json = slow_chain();
  json["stages"][1]["deaf"] = true;
  json["stages"][1]["step_ms"] = 200;
  const pid_t child = start(json);
  wait_for_steps(1);
  ::kill(child, SIGINT);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  ::kill(child, SIGINT);
  EXPECT_EQ(wait(child), -SIGINT);
  expect_only_whole_artifacts();
}

TEST_F(InterruptedPipelineTest, StopBeforeAStageRunsNothing) {
  request_stop();
  EXPECT_EQ(run(chain()), RunEnd::interrupted);
  EXPECT_EQ(stage_state("source"), "interrupted");
  clear_stop_request();
  EXPECT_EQ(run(chain()), RunEnd::complete);
}

TEST_F(InterruptedPipelineTest, FullDiskIsAnErrorAndNothingHalfWrittenCounts) {
  Json json = chain();
  json["stages"][1]["write_bytes"] = 300000;
  // Files stop growing at 100 kB: the model's weights do not fit.
  EXPECT_EQ(wait(start(json, 100000)), 1);
  expect_only_whole_artifacts();
  EXPECT_EQ(record()["state"], "failed");
  EXPECT_NE(record()["error"].get<std::string>().find("model.safetensors"), std::string::npos) << record()["error"];
  EXPECT_EQ(run(json), RunEnd::complete);
  EXPECT_EQ(stage_state("source"), "cached");
}

TEST_F(InterruptedPipelineTest, DiskFullAtAnySizeLeavesWholeArtifactsOnly) {
  const ResolvedConfig config = resolve(chain());
  for (const rlim_t limit : {0u, 64u, 700u, 2000u, 4000u, 6000u}) {
    EXPECT_EQ(wait(start(chain(), limit)), 1) << limit;
    expect_only_whole_artifacts();
  }
  ASSERT_EQ(run(chain()), RunEnd::complete);
  run(chain(), {}, "undisturbed");
  EXPECT_EQ(hashes(), hashes("undisturbed"));
  EXPECT_EQ(metric_keys(), metric_keys("undisturbed"));
}

TEST_F(InterruptedPipelineTest, FolderThatCannotBeWrittenIsNamed) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  std::filesystem::create_directories(folder_ / "closed");
  std::filesystem::permissions(folder_ / "closed",
                               std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  try {
    run(chain(), {}, "closed/run");
    FAIL();
  } catch (const std::exception& error) {
    EXPECT_NE(std::string(error.what()).find("closed"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace retort::host
