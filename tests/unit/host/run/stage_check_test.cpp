// What is refused before any work: by components' constructors, by stages, for keys that are missing.
#include "host/run/stage_check.h"

#include <cstdlib>
#include <fstream>

#include "pipeline_fixture.h"

namespace retort::host {
namespace {

class StageCheckTest : public PipelineTest {
 protected:
  void TearDown() override {
    ::unsetenv("RETORT_TEST_KEY");
    PipelineTest::TearDown();
  }
  std::vector<Diagnostic> check(const Json& json, double seconds = 60) const {
    return check_stages(resolve(json), registry(), seconds);
  }
  static Json with_scorer(const Json& scorer) {
    Json json = chain();
    json["stages"][1]["scorer"] = scorer;
    return json;
  }
  Json keyed() const { return {{"use", "reward.test_keyed"}, {"key", "RETORT_TEST_KEY"}, {"file", "config.json"}}; }
};

TEST_F(StageCheckTest, ASoundConfigHasNoFindings) {
  const auto findings = check(with_scorer({{"use", "reward.test_strict"}, {"judge", {{"use", "teacher.test_echo"}}}}));
  EXPECT_TRUE(findings.empty()) << to_string(findings[0]);
}

TEST_F(StageCheckTest, WhatAConstructorRefusesIsAFindingWithItsPlace) {
  const auto findings = check(with_scorer(
      {{"use", "reward.test_scorer"},
       {"parts", {{{"use", "reward.test_scorer"}}, {{"use", "reward.test_trouble"}, {"what", "throws"}}}}}));
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].pointer, "/stages/1/scorer/parts/1");
  EXPECT_EQ(findings[0].message, "reward.test_trouble: \"what\" and \"scale\" exclude each other");
}

TEST_F(StageCheckTest, WhatAStageCannotGiveIsAFindingAtTheSlot) {
  const auto findings = check(with_scorer({{"use", "reward.test_trouble"}, {"what", "asks"}}));
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(findings[0].pointer, "/stages/1/scorer");
  EXPECT_EQ(findings[0].message, "asks for the impossible; this stage offers counting");
  EXPECT_EQ(findings[1].pointer, "/stages/1");
  EXPECT_EQ(findings[1].message, "and count says so");
}

TEST_F(StageCheckTest, ACrashNamesComponentAndLibraryAndTheOtherStagesAreChecked) {
  Json json = with_scorer({{"use", "reward.test_trouble"}, {"what", "crashes"}});
  json["stages"][3]["scorer"] = {{"use", "reward.test_trouble"}, {"what", "throws"}};
  const auto findings = check(json);
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(findings[0].pointer, "/stages/1/scorer");
  EXPECT_NE(findings[0].message.find("reward.test_trouble of '" TEST_STAGES_PLUGIN "'"), std::string::npos)
      << findings[0].message;
  EXPECT_NE(findings[0].message.find("crashed (SIGKILL)"), std::string::npos) << findings[0].message;
  EXPECT_EQ(findings[1].pointer, "/stages/3/scorer");
}

TEST_F(StageCheckTest, AHangEndsAtTheTimeLimit) {
  const auto findings = check(with_scorer({{"use", "reward.test_trouble"}, {"what", "hangs"}}), 6);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_NE(findings[0].message.find("did not finish within 6 s"), std::string::npos) << findings[0].message;
}

TEST_F(StageCheckTest, FindingsAreAConfigError) {
  const ResolvedConfig config = resolve(with_scorer({{"use", "reward.test_trouble"}, {"what", "asks"}}));
  try {
    require_sound_stages(config, registry());
    FAIL() << "accepted";
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("2 mistakes"), std::string::npos) << error.what();
  }
}

TEST_F(StageCheckTest, AMissingKeyIsAFindingThatNamesTheVariable) {
  EXPECT_TRUE(finds(check(with_scorer(keyed())), "/stages/1/scorer/key",
                    "the environment variable RETORT_TEST_KEY is not set"));
  ::setenv("RETORT_TEST_KEY", "", 1);
  EXPECT_TRUE(finds(check(with_scorer(keyed())), "/stages/1/scorer/key", "RETORT_TEST_KEY is empty"));
  ::setenv("RETORT_TEST_KEY", "violet-1", 1);
  const auto findings = check(with_scorer(keyed()));
  EXPECT_TRUE(findings.empty()) << to_string(findings[0]);
}

TEST_F(StageCheckTest, APastedKeyIsRefusedAndNotShown) {
  Json scorer = keyed();
  scorer["key"] = "sk-very-secret";
  const auto diagnostics = diagnose(with_scorer(scorer));
  ASSERT_EQ(diagnostics.size(), 1u);
  EXPECT_EQ(diagnostics[0].pointer, "/stages/1/scorer/key");
  EXPECT_NE(diagnostics[0].message.find("the name of an environment variable"), std::string::npos);
  EXPECT_EQ(to_string(diagnostics[0]).find("very-secret"), std::string::npos);
}

TEST_F(StageCheckTest, KeysAreInNoFileOfARun) {
  ::setenv("RETORT_TEST_KEY", "violet-2-of-3", 1);
  Json json = with_scorer(keyed());
  json["stages"][1]["tell_scores"] = true;
  try {
    run(json);
    FAIL() << "the stage was to fail";
  } catch (const PluginError& error) {
    EXPECT_NE(std::string(error.what()).find("the scores are [\"***\","), std::string::npos) << error.what();
  }
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(run_folder().path()))
    if (entry.is_regular_file()) {
      ++files;
      EXPECT_EQ(read_file(entry.path()).find("violet-2-of-3"), std::string::npos) << entry.path();
    }
  EXPECT_GT(files, 5u);
  EXPECT_NE(read_file(run_folder().log()).find("scores: [\"***\""), std::string::npos);
  EXPECT_NE(record()["stages"][1]["error"].get<std::string>().find("***"), std::string::npos);
  EXPECT_EQ(record()["config"]["stages"][1]["scorer"]["key"], "RETORT_TEST_KEY");
}

}  // namespace
}  // namespace retort::host
