// One line per (stage, name, step), whatever happens to the process or the file.
#include "host/run/metrics_log.h"

#include <cmath>
#include <fstream>

#include "pipeline_fixture.h"

namespace retort::host {
namespace {

class MetricsLogTest : public PipelineTest {
 protected:
  std::filesystem::path file() const { return folder_ / "m.jsonl"; }
};

TEST_F(MetricsLogTest, LinesAreThereAtOnce) {
  MetricsLog log(file(), "sft", false);
  log.record("loss", 1, 0.5);
  log.record("loss", 2, 0.25);
  const auto metrics = read_metrics(file());
  ASSERT_EQ(metrics.size(), 2u);
  EXPECT_EQ(metrics[1], Json::parse(R"({"stage": "sft", "name": "loss", "step": 2, "value": 0.25})"));
}

TEST_F(MetricsLogTest, ResumedStepsReplaceTheirLines) {
  {
    MetricsLog log(file(), "sft", false);
    for (int step = 1; step <= 4; ++step) log.record("loss", step, step);
  }
  MetricsLog log(file(), "sft", true);
  log.record("loss", 3, 3);
  log.record("loss", 4, 44);
  log.record("loss", 5, 5);
  EXPECT_EQ(read_metrics(file()).size(), 5u) << "new lines do not wait for the end";
  log.finish();
  const auto metrics = read_metrics(file());
  ASSERT_EQ(metrics.size(), 5u);
  EXPECT_EQ(metrics[3]["value"], 44.0);
  EXPECT_EQ(metrics[4]["step"], 5);
}

TEST_F(MetricsLogTest, FreshAttemptForgetsOldLines) {
  {
    MetricsLog(file(), "sft", false).record("loss", 1, 1);
  }
  MetricsLog log(file(), "sft", false);
  EXPECT_TRUE(read_metrics(file()).empty());
}

TEST_F(MetricsLogTest, TornAndForeignLinesAreDropped) {
  write_file_atomically(file(),
                        "{\"stage\":\"sft\",\"name\":\"loss\",\"step\":1,\"value\":1}\nnot json\n[1]\n{\"stage\":\"s");
  MetricsLog log(file(), "sft", true);
  log.record("loss", 2, 2);
  EXPECT_EQ(read_metrics(file()).size(), 2u);
  EXPECT_EQ(read_file(file()).find("not json"), std::string::npos);
}

TEST_F(MetricsLogTest, NumbersThatAreNoneBecomeNull) {
  MetricsLog log(file(), "sft", false);
  log.record("loss", 1, std::nan(""));
  log.record("bad \xff name", 1, 1);
  const auto metrics = read_metrics(file());
  ASSERT_EQ(metrics.size(), 2u);
  EXPECT_TRUE(metrics[0]["value"].is_null());
}

TEST_F(MetricsLogTest, JoinKeepsTheOrderOfSources) {
  {
    MetricsLog(folder_ / "b", "second", false).record("x", 1, 1);
  }
  {
    MetricsLog(folder_ / "a", "first", false).record("x", 1, 1);
  }
  join_metrics({folder_ / "a", folder_ / "none", folder_ / "b"}, file());
  const auto metrics = read_metrics(file());
  ASSERT_EQ(metrics.size(), 2u);
  EXPECT_EQ(metrics[0]["stage"], "first");
}

}  // namespace
}  // namespace retort::host
