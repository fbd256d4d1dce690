// What a stage may do beyond its inputs: make components again, run other stages.
#include "host/run/stage_services.h"

#include <fstream>

#include "host/run/stage_check.h"
#include "pipeline_fixture.h"

namespace retort::host {
namespace {

class StageServicesTest : public PipelineTest {
 protected:
  Json search() const {
    Json json = Json::parse(R"({"name": "search", "seed": 7, "stages": [
      {"name": "source", "use": "stage.test_source"},
      {"name": "search", "use": "stage.test_search", "inputs": {"dataset": "source"},
       "teacher": {"use": "teacher.test_echo"}}]})");
    json["stages"][1]["teacher"]["witness"] = (folder_ / "witness").string();
    return json;
  }
  std::string failure(const Json& json) const {
    try {
      run(json);
    } catch (const PluginError& error) {
      return error.what();
    }
    return "nothing failed";
  }
  std::vector<std::string> folders() const {
    std::ifstream file(run_folder().stage_link("search") / "folders.txt");
    std::vector<std::string> all;
    for (std::string line; std::getline(file, line);) all.push_back(line);
    return all;
  }
};

TEST_F(StageServicesTest, RunsStagesWhoseArtifactsAreKeptByKey) {
  ASSERT_EQ(run(search()), RunEnd::complete);
  const auto first = folders();
  ASSERT_EQ(first.size(), 2u);
  EXPECT_NE(first[0], first[1]);
  EXPECT_EQ(read_manifest(first[1]).facts["parameters"], 2000);
  EXPECT_EQ(read_manifest(first[1]).inputs.at(0).sha256, read_manifest(run_folder().stage_link("source")).sha256);
  EXPECT_TRUE(std::filesystem::is_empty(run_folder().path() / "work"));
  // One more trial: the first two are found again.
  const auto made = std::filesystem::last_write_time(std::filesystem::path(first[1]) / "manifest.json");
  ASSERT_EQ(run(search(), {"search.trials=3"}), RunEnd::complete);
  ASSERT_EQ(folders().size(), 3u);
  EXPECT_EQ(folders()[1], first[1]);
  EXPECT_EQ(std::filesystem::last_write_time(std::filesystem::path(first[1]) / "manifest.json"), made);
}

TEST_F(StageServicesTest, AStageInsideIsTheSameAsOneOfAConfig) {
  ASSERT_EQ(run(search()), RunEnd::complete);
  Json plain = search();
  plain["stages"][1] = {
      {"name", "trial"}, {"use", "stage.test_count"}, {"steps", 2}, {"inputs", {{"dataset", "source"}}}};
  run(plain, {}, "plain");
  EXPECT_EQ(read_manifest(folders()[1]).sha256, read_manifest(run_folder("plain").stage_link("trial")).sha256);
}

TEST_F(StageServicesTest, MistakesInAnInnerStageAreListed) {
  Json json = search();
  json["stages"][1]["inner"] = R"("use":"stage.test_cuont")";
  EXPECT_NE(failure(json).find("/use: unknown component \"stage.test_cuont\" (did you mean \"stage.test_count\"?)"),
            std::string::npos)
      << failure(json);
  json["stages"][1]["inner"] = R"("use":"stage.test_count","stepz":1,"fail_at":"x")";
  const std::string two = failure(json);
  EXPECT_NE(two.find("2 mistakes"), std::string::npos) << two;
  EXPECT_NE(two.find("/stepz"), std::string::npos) << two;
  json["stages"][1]["inner"] = R"("use":"stage.test_report")";
  const std::string inputs = failure(json);
  EXPECT_NE(inputs.find("/inputs/dataset: stage.test_report has no input"), std::string::npos) << inputs;
  EXPECT_NE(inputs.find("\"models\" is missing"), std::string::npos) << inputs;
}

TEST_F(StageServicesTest, AnInnerFailureIsTheStagesOwn) {
  Json json = search();
  json["stages"][1]["inner"] = R"("use":"stage.test_count","fail_at":1)";
  EXPECT_NE(failure(json).find("step 1 failed as told"), std::string::npos) << failure(json);
  EXPECT_EQ(stage_state("search"), "failed");
}

TEST_F(StageServicesTest, MakesComponentsAgainAndDestroysThemAtTheLatestAtTheEnd) {
  ASSERT_EQ(run(search()), RunEnd::complete);
  EXPECT_EQ(read_file(folder_ / "witness"), "yes made\nagain made\nagain made\nyes gone\nagain gone\nagain gone\n");
}

TEST_F(StageServicesTest, ParametersOfComponentsAreValidated) {
  Json json = search();
  json["stages"][1]["changes"] = R"({"answerr": "no"})";
  EXPECT_NE(failure(json).find("/stages/1/teacher/answerr: unknown parameter"), std::string::npos) << failure(json);
  json["stages"][1]["changes"] = R"({"use": "teacher.test_echo"})";
  EXPECT_NE(failure(json).find("without \"use\""), std::string::npos) << failure(json);
  json["stages"][1]["changes"] = "[";
  EXPECT_NE(failure(json).find("not valid JSON"), std::string::npos) << failure(json);
}

TEST_F(StageServicesTest, ComponentsCanBeMadeWhileAConfigIsChecked) {
  Json json = search();
  EXPECT_TRUE(check_stages(resolve(json), registry()).empty());
  json["stages"][1]["changes"] = R"({"answerr": "no"})";
  EXPECT_TRUE(finds(check_stages(resolve(json), registry()), "/stages/1", "/stages/1/teacher/answerr"));
}

}  // namespace
}  // namespace retort::host
