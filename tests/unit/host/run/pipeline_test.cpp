// Runs from config to artifacts: caching, failures, tampering, the lock.
#include "host/run/pipeline.h"

#include <sys/wait.h>

#include <fstream>

#include "host/report/run_results.h"
#include "pipeline_fixture.h"

namespace retort::host {
namespace {

class PipelineRunTest : public PipelineTest {};

TEST_F(PipelineRunTest, LeavesWhatTheRunDirectoryPromises) {
  ASSERT_EQ(run(chain()), RunEnd::complete);
  const RunFolder folder = run_folder();
  for (const auto& path : {folder.record(), folder.metrics(), folder.log(), folder.report()})
    EXPECT_TRUE(std::filesystem::is_regular_file(path)) << path;
  EXPECT_EQ(record()["state"], "complete");
  EXPECT_EQ(record()["config"]["stages"][1]["steps"], 5);
  EXPECT_TRUE(record()["versions"].contains("retort"));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path() / "work"));
  const Manifest manifest = read_manifest(folder.stage_link("quick"));
  EXPECT_EQ(manifest.kind, "model");
  EXPECT_EQ(manifest.facts["parameters"], 2000);
  ASSERT_EQ(manifest.inputs.size(), 2u);
  EXPECT_EQ(manifest.inputs[1].stage, "count");
  EXPECT_EQ(manifest.inputs[1].sha256, read_manifest(folder.stage_link("count")).sha256);
  EXPECT_FALSE(std::filesystem::exists(folder.model_link())) << "the last stage makes a report";
}

TEST_F(PipelineRunTest, ModelLinkIfTheLastStageMakesOne) {
  Json json = chain();
  json["stages"].erase(2);
  ASSERT_EQ(run(json), RunEnd::complete);
  EXPECT_TRUE(std::filesystem::exists(run_folder().model_link() / "weights/model.safetensors"));
  EXPECT_TRUE(std::filesystem::read_symlink(run_folder().model_link()).is_relative());
}

TEST_F(PipelineRunTest, SecondRunUsesEverythingAgain) {
  run(chain());
  const auto before = hashes();
  const auto keys = metric_keys();
  EXPECT_EQ(keys.size(), 1u + 5u + 2u);
  run(chain());
  for (const char* stage : {"source", "count", "quick", "report"}) EXPECT_EQ(stage_state(stage), "cached") << stage;
  EXPECT_EQ(hashes(), before);
  EXPECT_EQ(metric_keys(), keys);
}

TEST_F(PipelineRunTest, SameSeedSameBytesInAnotherDirectory) {
  run(chain(), {}, "one");
  run(chain(), {}, "two");
  EXPECT_EQ(hashes("one"), hashes("two"));
  run(chain(), {"seed=8"}, "three");
  EXPECT_NE(hashes("one"), hashes("three"));
}

TEST_F(PipelineRunTest, OnlyWhatChangedRunsAgainAndOldArtifactsComeBack) {
  run(chain());
  const auto before = hashes();
  run(chain(), {"quick.steps=3"});
  EXPECT_EQ(stage_state("count"), "cached");
  EXPECT_EQ(stage_state("quick"), "complete");
  EXPECT_EQ(metric_keys().size(), 1u + 5u + 3u);
  run(chain());
  EXPECT_EQ(stage_state("quick"), "cached");
  EXPECT_EQ(hashes(), before);
  EXPECT_EQ(metric_keys().size(), 1u + 5u + 2u) << "the metrics of the artifacts that are in use";
}

TEST_F(PipelineRunTest, PlanSaysWhatAndWhy) {
  auto plan = plan_pipeline(resolve(chain()), run_folder(), Verification::sizes);
  EXPECT_EQ(plan[0].action, "run");
  EXPECT_EQ(plan[0].reason, "not made yet");
  EXPECT_EQ(plan[1].reason, "its input source will be made anew");
  EXPECT_FALSE(std::filesystem::exists(run_folder().path())) << "a plan changes nothing";
  run(chain());
  plan = plan_pipeline(resolve(chain(), {"count.steps=6"}), run_folder(), Verification::sizes);
  EXPECT_EQ(plan[0].action, "cached");
  EXPECT_EQ(plan[1].action, "run");
  EXPECT_EQ(plan[1].reason, "changed: parameters/steps: 5 → 6");
  EXPECT_EQ(plan[2].reason, "its input count will be made anew");
}

TEST_F(PipelineRunTest, FailureIsRecordedAndTheNextRunGoesOn) {
  Json json = chain();
  json["stages"][1]["fail_at"] = 3;
  try {
    run(json);
    FAIL();
  } catch (const PluginError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("count"), std::string::npos) << text;
    EXPECT_NE(text.find("step 3 failed as told"), std::string::npos) << text;
  }
  EXPECT_EQ(record()["state"], "failed");
  EXPECT_EQ(stage_state("count"), "failed");
  EXPECT_EQ(stage_state("quick"), "pending");
  for (const auto& entry : std::filesystem::directory_iterator(run_folder().artifacts()))
    EXPECT_FALSE(entry.path().filename().string().starts_with(".tmp")) << entry.path();
  EXPECT_TRUE(std::filesystem::exists(run_folder().report()));
  EXPECT_EQ(run(chain()), RunEnd::complete);
  EXPECT_EQ(stage_state("source"), "cached");
}

TEST_F(PipelineRunTest, MisbehavingStagesDoNotBecomeArtifacts) {
  for (const char* fault : {"count.own_manifest=true", "count.link=true", "report.bad_fact=true"}) {
    EXPECT_THROW(run(chain(), {fault}), std::exception) << fault;
    EXPECT_EQ(record()["state"], "failed") << fault;
  }
}

TEST_F(PipelineRunTest, TamperedArtifactIsSetAsideAndMadeAnew) {
  run(chain());
  const auto before = hashes();
  const std::filesystem::path weights = run_folder().stage_link("count") / "weights/model.safetensors";
  const std::string content = read_file(weights);
  std::ofstream(weights, std::ios::binary) << std::string(content.size(), '0');
  run(chain());
  EXPECT_EQ(stage_state("count"), "cached") << "same size: only --verify looks inside";
  run(chain(), {}, "run", Verification::full);
  EXPECT_EQ(stage_state("count"), "complete");
  EXPECT_EQ(stage_state("quick"), "cached") << "the same bytes came out again";
  EXPECT_EQ(hashes(), before);
  EXPECT_FALSE(std::filesystem::is_empty(run_folder().path() / "damaged"));

  std::ofstream(weights, std::ios::binary) << "short";
  run(chain());
  EXPECT_EQ(stage_state("count"), "complete") << "another size is noticed always";
}

TEST_F(PipelineRunTest, CorruptManifestIsNotTrusted) {
  run(chain());
  const auto before = hashes();
  const std::filesystem::path manifest = run_folder().stage_link("source") / manifest_name;
  for (const std::string& text : {std::string("{"), read_file(manifest) + " ", std::string()}) {
    const bool whole = text.size() > 1;
    write_file_atomically(manifest, text);
    run(chain());
    EXPECT_EQ(stage_state("source"), whole ? "cached" : "complete") << text;
    EXPECT_EQ(hashes(), before);
  }
}

TEST_F(PipelineRunTest, TwoRunsDoNotShareADirectory) {
  const RunFolder folder = run_folder();
  folder.make();
  {
    const RunLock lock(folder);
    EXPECT_TRUE(RunLock::held(folder));
    const auto refusal = [&] {
      try {
        run(chain());
      } catch (const std::runtime_error& error) {
        return std::string(error.what());
      }
      return std::string("accepted");
    };
    EXPECT_NE(refusal().find("process " + std::to_string(::getpid())), std::string::npos) << refusal();
    EXPECT_EQ(refusal().find("of its own"), std::string::npos) << refusal();
    ::setenv("RANK", "1", 1);  // one of several processes of a training
    EXPECT_NE(refusal().find("each needs a directory of its own"), std::string::npos) << refusal();
    ::unsetenv("RANK");
  }
  EXPECT_FALSE(RunLock::held(folder));
  EXPECT_EQ(run(chain()), RunEnd::complete);
}

TEST_F(PipelineRunTest, OtherPeoplesFoldersAreLeftAlone) {
  std::filesystem::create_directories(folder_ / "run");
  write_file_atomically(folder_ / "run/thesis.txt", "mine");
  EXPECT_THROW(run(chain()), std::invalid_argument);
  EXPECT_EQ(read_file(folder_ / "run/thesis.txt"), "mine");
  write_file_atomically(folder_ / "file", "mine");
  EXPECT_THROW(run(chain(), {}, "file"), std::invalid_argument);
}

TEST_F(PipelineRunTest, OrphansOfKilledRunsAreRemoved) {
  run(chain());
  const std::filesystem::path orphan = run_folder().artifacts() / ".tmp-count-0123456789ab";
  std::filesystem::create_directories(orphan / "deep");
  write_file_atomically(run_folder().path() / ".tmp-99999-run.json", "{");
  run(chain());
  EXPECT_FALSE(std::filesystem::exists(orphan));
  EXPECT_FALSE(std::filesystem::exists(run_folder().path() / ".tmp-99999-run.json"));
}

TEST_F(PipelineRunTest, ResultsJoinManifestsAndEvaluationByName) {
  run(chain());
  const RunResults results = read_results(run_folder());
  ASSERT_EQ(results.rows.size(), 2u);
  const StageResult& quick = results.stages[results.rows[1]];
  EXPECT_EQ(quick.name, "quick");
  EXPECT_EQ(quick.parameters, 2000);
  EXPECT_EQ(quick.bytes, 8000);
  EXPECT_EQ(quick.exact_match, 0.75);
  EXPECT_EQ(results.stages[*results.teacher].name, "count");
  const Json json = to_json(results);
  EXPECT_TRUE(json["stages"][0]["exact_match"].is_null());
  EXPECT_EQ(json["stages"][2]["p50_ms"], 1.5);
  const std::string table = results_table(results);
  EXPECT_NE(table.find("75.0%"), std::string::npos) << table;
  EXPECT_NE(table.find("8.00 kB"), std::string::npos) << table;
}

TEST_F(PipelineRunTest, ExportOfAModelHasNoRowOfItsOwn) {
  Json json = chain();
  json["stages"].push_back(Json::parse(
      R"({"name": "export", "use": "stage.test_count", "inputs": {"dataset": "source", "teacher": "quick"}, "copy": true})"));
  run(json);
  const RunResults results = read_results(run_folder());
  EXPECT_EQ(results.rows.size(), 2u);
  EXPECT_EQ(to_json(results)["stages"].size(), 5u);
  json["stages"][4]["copy"] = false;
  run(json);
  EXPECT_EQ(read_results(run_folder()).rows.size(), 3u) << "not a copy, only not evaluated";
}

TEST_F(PipelineRunTest, SummaryRowsChooseTheTable) {
  Json json = chain();
  json["summary"] = {{"rows", {"quick"}}};
  run(json);
  const RunResults results = read_results(run_folder());
  ASSERT_EQ(results.rows.size(), 1u);
  EXPECT_EQ(results.stages[results.rows[0]].name, "quick");
}

}  // namespace
}  // namespace retort::host
