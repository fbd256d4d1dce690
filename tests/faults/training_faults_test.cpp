// Faults of runs that train: the quickstart's smoke form, changed as a test needs. Skipped without LibTorch.
#include <algorithm>
#include <cctype>
#include <functional>

#include "stop_time.h"

namespace retort::faults {
namespace {

class TrainingFaults : public FaultTest {
 protected:
  void SetUp() override {
    if (!RETORT_WITH_TRAINING) GTEST_SKIP() << "built without the training stages (RETORT_TRAIN=OFF)";
    FaultTest::SetUp();
    ::signal(SIGHUP, SIG_DFL);  // whatever started the tests: runs that were started without it ignore it
  }
  /// `retort run` of the config's smoke form.
  std::vector<std::string> smoke(const std::string& config, const std::vector<std::string>& more = {},
                                 const std::string& run_name = "run") const {
    const fs::path file = fs::path(RETORT_SOURCE) / "configs" / config;
    std::vector<std::string> all = {"run", file.string(), "--allow-writable-plugins", "--run-dir",
                                    (folder_ / run_name).string()};
    const Json json = host::read_json(file);
    for (const auto& [key, value] : json["smoke"]["set"].items())
      all.insert(all.end(), {"--set", key + "=" + value.dump()});
    for (const std::string& one : more) all.insert(all.end(), {"--set", one});
    return all;
  }
  std::size_t training_steps() const {
    std::size_t lines = 0;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(run() / "metrics", ignored))
      if (entry.path().filename().string().starts_with("teacher-")) {
        const std::string text = host::read_file(entry.path());
        lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
      }
    return lines;
  }
};

TEST_F(TrainingFaults, StoppedTrainingLeavesACheckpointAndEndsWithTheSameBytes) {
  const std::vector<std::string> longer = {"teacher.training.steps=300", "teacher.training.checkpoint_steps=0"};
  int stopped = 0;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const ChildCommand child(folder_, smoke("quickstart.json", longer));
    const std::size_t before = training_steps();
    EXPECT_TRUE(wait_for([&] { return training_steps() > before + 12; })) << signal;
    ::kill(child.id(), signal);
    const Outcome outcome = child.wait();
    EXPECT_EQ(outcome.code, 130) << signal << outcome.err;
    bool checkpoint = false;
    for (const auto& entry : fs::directory_iterator(run() / "work"))
      checkpoint = checkpoint || fs::exists(entry.path() / "checkpoint.pt");
    EXPECT_TRUE(checkpoint) << signal;
    EXPECT_EQ(outcome.err.find("continuing from step") != std::string::npos, stopped++ > 0) << outcome.err;
  }
  const Outcome resumed = ChildCommand(folder_, smoke("quickstart.json", longer)).wait();
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_HAS(resumed.err, "continuing from step");
  const Outcome whole = ChildCommand(folder_, smoke("quickstart.json", longer, "whole")).wait();
  ASSERT_EQ(whole.code, 0) << whole.err;
  for (const char* stage : {"teacher", "student", "super_tiny"})
    EXPECT_EQ(manifest(stage)["sha256"],
              host::read_json(folder_ / "whole" / "stages" / stage / "manifest.json")["sha256"])
        << stage;
}

/// Two steps teach no calls: proofs of calls fail, proofs of tokens hold, with int8 activations too, which are apart.
TEST_F(TrainingFaults, AFailedProofLeavesReportAndModelWithTheVerdict) {
  const std::vector<std::string> more = {"super_tiny.activations=int8", "verification.minimum=1",
                                         "model.inputs.verification=verification"};
  const Outcome outcome = ChildCommand(folder_, smoke("quickstart.json", more)).wait();
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_HAS(outcome.err, "stage \"verification\": failed: the runtime's calls equal LibTorch's");
  EXPECT_EQ(record()["state"], "complete");
  const Json result = host::read_json(run() / "stages" / "verification" / "agreement.json");
  EXPECT_TRUE(result["verdict"].get<std::string>().starts_with("failed: "));
  EXPECT_DOUBLE_EQ(result["same_tokens"].get<double>() + result["ties"].get<double>(), 1.0) << result.dump(1);
  ASSERT_TRUE(result["int8_activations"].is_object());
  EXPECT_TRUE(result["int8_activations"]["same_tokens"].is_number());
  EXPECT_HAS(host::read_file(run() / "report.html"), "verification: failed: ");
  const Json exported = host::read_json(run() / "model" / "retort.json");
  EXPECT_EQ(exported["verification"]["verdict"], result["verdict"]);
  EXPECT_HAS(host::read_file(run() / "model" / "README.md"), "not proved; the proof failed: ");
}

/// A policy that was hardly trained says bytes that are no UTF-8; so do the texts that reports and rewards get.
TEST_F(TrainingFaults, ResponsesThatAreNotUtf8AreMalformed) {
  const Outcome outcome =
      ChildCommand(folder_, smoke("algorithms.json", {"rloo.training.steps=4", "rloo.max_new_tokens=24",
                                                      "rloo.temperature=3", "verification.minimum_tokens=0"}))
          .wait();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const std::string metrics = host::read_file(run() / "metrics.jsonl");
  EXPECT_HAS(metrics, "malformed");
}

/// What a constructor, or a stage of what stands in its slots, would refuse after hours is a finding of `retort check`.
TEST_F(TrainingFaults, CheckMakesEveryComponentAndAsksEveryStage) {
  const auto findings = [&](const std::vector<std::string>& overrides) {
    std::vector<std::string> all = {"check", RETORT_SOURCE "/configs/quickstart.json", "--allow-writable-plugins"};
    for (const std::string& one : overrides) all.insert(all.end(), {"--set", one});
    const Outcome outcome = ChildCommand(folder_, all).wait();
    EXPECT_EQ(outcome.code, overrides.empty() ? 0 : 2) << outcome.err;
    return outcome.err;
  };
  EXPECT_EQ(findings({}), "");
  const std::string scheme = findings({"super_tiny.algorithm.bits=4", "super_tiny.algorithm.group_size=0"});
  EXPECT_HAS(scheme, "/stages/4/algorithm: quantize.rtn asks for symmetric 4 bits per channel");
  const std::string tail = findings({"student.algorithm.top_k=8", "student.algorithm.temperature=2"});
  EXPECT_HAS(tail, "/stages/3/algorithm: distill.forward_kl: tail: ");
  const std::string data = findings({"super_tiny.algorithm.use=quantize.awq", "super_tiny.algorithm.bits=4"});
  EXPECT_HAS(data, "quantize.awq wants calibration data");
}

/// Every stage, and what stands in its slots, is stopped once after it has begun.
class StopFaults : public TrainingFaults {
 protected:
  void expect_quick(const std::vector<std::string>& arguments, const std::set<std::string>& wanted) {
    StopTimes runs(folder_, arguments, run());
    const auto times = runs.measure(std::chrono::milliseconds(300));
    for (const auto& [stage, time] : times) {
      EXPECT_LE(time.processor, 2.0 * threads) << stage;
      EXPECT_LE(time.wall, 20.0) << stage;  // whatever else the machine does
      RecordProperty(stage, std::to_string(time.wall));
      std::printf("  %-14s stopped after %.2f s, %.2f s of processor time\n", stage.c_str(), time.wall, time.processor);
    }
    std::size_t stopped = 0;  // of those wanted; one that was over before it could be asked has nothing to prove
    for (const std::string& stage : wanted) stopped += times.count(stage);
    EXPECT_GE(2 * stopped, wanted.size()) << "most stages were over before they could be stopped";
  }
  static constexpr double threads = 2;  // of the configs
  /// One batch of reinforcement learning, which is stopped when `ready` says so.
  StopTime stop_batch(const std::vector<std::string>& arguments, const std::function<bool()>& ready) const {
    const ChildCommand child(folder_, arguments);
    EXPECT_TRUE(wait_for(ready, 240)) << said();  // a scan of all plugins may come first
    const StopTime time = interrupt(child.id());
    EXPECT_TRUE(time.interrupted()) << said();
    EXPECT_LE(time.processor, 2.0 * threads);
    EXPECT_LE(time.wall, 20.0);  // whatever else the machine does
    std::printf("  stopped after %.2f s, %.2f s of processor time\n", time.wall, time.processor);
    return time;
  }
  std::vector<std::string> one_batch(const std::vector<std::string>& more) const {
    std::vector<std::string> all = {"teacher.training.steps=2", "grpo.training.steps=1", "grpo.validation_limit=0",
                                    "grpo.rollout_precision=f32", "threads=1"};
    all.insert(all.end(), more.begin(), more.end());
    return smoke("policies.json", all);
  }
  std::string said() const { return host::read_file(folder_ / "stderr.txt"); }
  bool runs(const std::string& stage) const {
    try {
      const Json now = record();
      for (const Json& one : now["stages"])
        if (one["name"] == stage) return one["state"] == "running";
    } catch (const std::exception&) {
      // Not there yet.
    }
    return false;
  }
  std::string metrics_of(const std::string& stage) const {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(run() / "metrics", ignored))
      if (entry.path().filename().string().starts_with(stage + "-")) return host::read_file(entry.path());
    return "";
  }
  bool left(const std::string& name) const {
    for (const auto& entry : fs::directory_iterator(run() / "work"))
      if (fs::exists(entry.path() / name)) return true;
    return false;
  }
};

TEST_F(StopFaults, ReinforcementLearningStopsInTwoSecondsInsideRollouts) {
  stop_batch(one_batch({"grpo.training.batch_size=128", "grpo.algorithm.group_size=128", "grpo.max_new_tokens=96"}),
             [&] {
               if (!runs("grpo")) return false;
               std::this_thread::sleep_for(std::chrono::milliseconds(400));
               return true;
             });
  EXPECT_EQ(metrics_of("grpo").find("\"reward\""), std::string::npos) << "rollouts were over too soon";
}

/// It goes on in the middle of the batch: what was updated is not updated again. More updates than any machine makes
/// before it is stopped: some 1,400 a second.
TEST_F(StopFaults, ReinforcementLearningStopsInTwoSecondsInsideTheUpdatesOfABatch) {
  const std::vector<std::string> arguments = one_batch({"grpo.algorithm.updates=100000"});
  stop_batch(arguments, [&] { return metrics_of("grpo").find("\"loss\"") != std::string::npos; });
  EXPECT_TRUE(left("checkpoint.pt"));
  EXPECT_TRUE(left("rollouts-0.json"));
  stop_batch(arguments, [&] { return said().find("of 100000") != std::string::npos; });
  EXPECT_HAS(said(), "continuing from step");
}

TEST_F(StopFaults, RejectionSamplingStopsInTwoSeconds) {
  expect_quick(smoke("repair.json", {"goals.train=1200", "accepted.sampling.samples=8", "accepted.max_new_tokens=64"}),
               {"accepted"});
}

TEST_F(StopFaults, EveryStageOfTheAlgorithmsStopsInTwoSeconds) {
  expect_quick(smoke("algorithms.json",
                     {"utterances.train=1500", "utterances.test=200", "teacher.training.steps=150",
                      "rloo.training.steps=24", "ppo.training.steps=24", "dpo.training.steps=60",
                      "kto.training.steps=60", "student.training.steps=150", "imitator.training.steps=150",
                      "sparse.algorithm.samples=20000", "verification.limit=200", "verification.minimum_tokens=0"}),
               {"teacher", "rloo", "ppo", "dpo", "kto", "student", "imitator", "sparse"});
}

/// Golden calls of a model that has learnt nothing take their time, and what magnitude alone decides is soon over.
TEST_F(StopFaults, TheExportStopsInTwoSeconds) {
  expect_quick(smoke("quickstart.json", {"utterances.test=2000", "model.golden_calls=2000", "verification.limit=20"}),
               {"model"});
}

}  // namespace
}  // namespace retort::faults
