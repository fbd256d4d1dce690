// Validation of whole configs: every mistake at once, each with its place.
#include "host/config/resolved_config.h"

#include "pipeline_fixture.h"

namespace retort::host {
namespace {

class ResolvedConfigTest : public PipelineTest {};

TEST_F(ResolvedConfigTest, OrderFollowsInputsThenTheConfig) {
  const ResolvedConfig config = resolve(chain());
  std::vector<std::string> names;
  for (const ResolvedStage& stage : config.stages) names.push_back(stage.name);
  EXPECT_EQ(names, (std::vector<std::string>{"source", "count", "quick", "report"}));
  EXPECT_EQ(config.stages[3].inputs[0].stages, (std::vector<std::size_t>{1, 2}));
  EXPECT_EQ(config.stages[2].inputs.size(), 2u);
}

TEST_F(ResolvedConfigTest, DefaultsAreFilledInAndRecorded) {
  const ResolvedConfig config = resolve(chain());
  EXPECT_EQ(config.threads, 1);
  EXPECT_EQ(config.stages[1].parameters["steps"], 5);
  EXPECT_EQ(config.document["threads"], 1);
  EXPECT_EQ(config.document["stages"][1]["steps"], 5);
  EXPECT_EQ(config.document["stages"][3]["steps"], 2);
}

TEST_F(ResolvedConfigTest, NameDefaultsToTheFile) {
  Json json = chain();
  json.erase("name");
  EXPECT_EQ(resolve(json).name, "config");
}

TEST_F(ResolvedConfigTest, SlotKeysAreNotParameters) {
  Json json = chain();
  json["stages"][1]["scorer"] = {{"use", "reward.test_scorer"}, {"scale", 2}};
  const ResolvedConfig config = resolve(json);
  ASSERT_EQ(config.stages[1].slots.size(), 1u);
  EXPECT_EQ(config.stages[1].slots[0].component.id, "reward.test_scorer");
  EXPECT_EQ(config.stages[1].slots[0].parameters["scale"], 2.0);
  EXPECT_FALSE(config.stages[1].parameters.contains("scorer"));
}

TEST_F(ResolvedConfigTest, FiveMistakesFiveMessages) {
  Json json = chain();
  json["sead"] = 3;
  json["stages"][0]["rows"] = "many";
  json["stages"][1]["use"] = "stage.test_cuont";
  json["stages"][2]["inputs"]["models"] = Json::array({"count", "source"});
  json["stages"][3]["stepz"] = 4;
  const auto diagnostics = diagnose(json);
  EXPECT_EQ(diagnostics.size(), 5u);
  EXPECT_TRUE(finds(diagnostics, "/sead", "\"seed\""));
  EXPECT_TRUE(finds(diagnostics, "/stages/0/rows", "many"));
  EXPECT_TRUE(finds(diagnostics, "/stages/1/use", "stage.test_count"));
  EXPECT_TRUE(finds(diagnostics, "/stages/2/inputs/models/1", "which makes a dataset"));
  EXPECT_TRUE(finds(diagnostics, "/stages/3/stepz", "steps"));
}

TEST_F(ResolvedConfigTest, AllFindingsAreInTheMessage) {
  Json json = chain();
  json["seed"] = -1;
  json["threads"] = 0;
  try {
    resolve(json);
    FAIL();
  } catch (const ConfigError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("2 mistakes"), std::string::npos) << text;
    EXPECT_NE(text.find("/seed"), std::string::npos) << text;
    EXPECT_NE(text.find("/threads"), std::string::npos) << text;
  }
}

TEST_F(ResolvedConfigTest, RangesAndEnums) {
  Json json = chain();
  json["stages"][0]["rows"] = 0;
  json["stages"][0]["label"] = "plian";
  const auto diagnostics = diagnose(json);
  EXPECT_TRUE(finds(diagnostics, "/stages/0/rows", "0"));
  EXPECT_TRUE(finds(diagnostics, "/stages/0/label", "plain"));
}

TEST_F(ResolvedConfigTest, NamesOfStages) {
  Json json = chain();
  json["stages"][3]["name"] = "count";
  EXPECT_TRUE(finds(diagnose(json), "/stages/3/name", "the first is /stages/1"));
  json["stages"][3]["name"] = "../escape";
  EXPECT_TRUE(finds(diagnose(json), "/stages/3/name", "../escape"));
  json["stages"][3].erase("name");
  EXPECT_TRUE(finds(diagnose(json), "/stages/3/name", "needs a name"));
}

TEST_F(ResolvedConfigTest, Inputs) {
  Json json = chain();
  json["stages"][1].erase("inputs");
  EXPECT_TRUE(finds(diagnose(json), "/stages/1", "input \"dataset\" is missing"));
  json["stages"][1]["inputs"] = {{"datasett", "source"}, {"dataset", "sauce"}};
  const auto diagnostics = diagnose(json);
  EXPECT_TRUE(finds(diagnostics, "/stages/1/inputs/datasett", "did you mean \"dataset\"?"));
  EXPECT_TRUE(finds(diagnostics, "/stages/1/inputs/dataset", "no stage \"sauce\""));
  json["stages"][1]["inputs"] = {{"dataset", Json::array({"source"})}};
  EXPECT_TRUE(finds(diagnose(json), "/stages/1/inputs/dataset", "expected a stage's name"));
  json["stages"][1]["inputs"] = "source";
  EXPECT_TRUE(finds(diagnose(json), "/stages/1/inputs", "expected {"));
}

TEST_F(ResolvedConfigTest, SlotOfTheWrongInterface) {
  Json json = chain();
  json["stages"][1]["scorer"] = {{"use", "stage.test_source"}};
  EXPECT_TRUE(finds(diagnose(json), "/stages/1/scorer/use", "retort.reward/1"));
  json["stages"][1]["scorer"] = {{"use", "reward.test_scorer"}, {"scale", 0}};
  EXPECT_TRUE(finds(diagnose(json), "/stages/1/scorer/scale", "0"));
  json["stages"][1]["scorer"] = "reward.test_scorer";
  EXPECT_TRUE(finds(diagnose(json), "/stages/1/scorer", "expected {\"use\""));
  json["stages"][1]["use"] = "reward.test_scorer";
  EXPECT_TRUE(finds(diagnose(json), "/stages/1/use", "retort.stage/1"));
}

/// A scorer of parts, of which the first has a judge.
Json nested() {
  return Json::parse(R"({"use": "reward.test_scorer", "scale": 2, "parts": [
    {"use": "reward.test_scorer", "judge": {"use": "teacher.test_echo", "answer": "no"}},
    {"use": "reward.test_scorer"}]})");
}

TEST_F(ResolvedConfigTest, ComponentsNest) {
  Json json = chain();
  json["stages"][1]["scorer"] = nested();
  const ResolvedConfig config = resolve(json);
  const ResolvedSlot& scorer = config.stages[1].slots.at(0);
  ASSERT_EQ(scorer.slots.size(), 2u);
  EXPECT_TRUE(scorer.slots[0].list);
  EXPECT_EQ(scorer.slots[1].pointer, "/stages/1/scorer/parts/1");
  const ResolvedSlot& judge = scorer.slots[0].slots.at(0);
  EXPECT_EQ(judge.component.id, "teacher.test_echo");
  EXPECT_EQ(judge.parameters["answer"], "no");
  EXPECT_EQ(judge.pointer, "/stages/1/scorer/parts/0/judge");
  EXPECT_EQ(config.document["stages"][1]["scorer"]["parts"][1]["scale"], 1.0);  // the default, written out
  EXPECT_EQ(config.document["stages"][1]["scorer"]["parts"][0]["judge"]["use"], "teacher.test_echo");
}

TEST_F(ResolvedConfigTest, MistakesInNestedComponentsHavePlacesAndNearNames) {
  Json json = chain();
  Json& scorer = json["stages"][1]["scorer"];
  scorer = nested();
  scorer["parts"][0]["judge"]["use"] = "teacher.test_ehco";
  scorer["parts"][1]["scales"] = 2;
  auto diagnostics = diagnose(json);
  EXPECT_EQ(diagnostics.size(), 2u);
  EXPECT_TRUE(finds(diagnostics, "/stages/1/scorer/parts/0/judge/use", "did you mean \"teacher.test_echo\"?"));
  EXPECT_TRUE(finds(diagnostics, "/stages/1/scorer/parts/1/scales", "did you mean \"scale\"?"));
  scorer["parts"] = {{{"use", "teacher.test_echo"}}, 5};
  diagnostics = diagnose(json);
  EXPECT_TRUE(finds(diagnostics, "/stages/1/scorer/parts/0/use", "expected a component of retort.reward/1"));
  EXPECT_TRUE(finds(diagnostics, "/stages/1/scorer/parts/1", "expected {\"use\""));
  scorer["parts"] = {{"use", "reward.test_scorer"}};
  EXPECT_TRUE(finds(diagnose(json), "/stages/1/scorer/parts", "expected an array of components"));
  scorer = {{"use", "reward.test_strict"}};
  EXPECT_TRUE(
      finds(diagnose(json), "/stages/1/scorer", "\"judge\" is missing: {\"use\": a component of retort.teacher/1"));
}

TEST_F(ResolvedConfigTest, NestingIsBounded) {
  Json json = chain();
  Json scorer = {{"use", "reward.test_scorer"}};
  for (int depth = 2; depth <= 8; ++depth) scorer = {{"use", "reward.test_scorer"}, {"parts", Json::array({scorer})}};
  json["stages"][1]["scorer"] = scorer;
  EXPECT_TRUE(diagnose(json).empty());
  json["stages"][1]["scorer"] = {{"use", "reward.test_scorer"}, {"parts", Json::array({scorer})}};
  const auto diagnostics = diagnose(json);
  ASSERT_EQ(diagnostics.size(), 1u);
  EXPECT_EQ(diagnostics[0].pointer, "/stages/1/scorer/parts/0/parts/0/parts/0/parts/0/parts/0/parts/0/parts/0/parts/0");
  EXPECT_NE(diagnostics[0].message.find("deeper than 8"), std::string::npos);
}

TEST_F(ResolvedConfigTest, CircleIsNamed) {
  Json json = chain();
  json["stages"][1]["inputs"]["teacher"] = "quick";
  const auto diagnostics = diagnose(json);
  ASSERT_EQ(diagnostics.size(), 1u);
  EXPECT_NE(diagnostics[0].message.find("count"), std::string::npos);
  EXPECT_NE(diagnostics[0].message.find("quick"), std::string::npos);
  json["stages"][1]["inputs"]["teacher"] = "count";
  EXPECT_EQ(diagnose(json).size(), 1u);
}

TEST_F(ResolvedConfigTest, FilesThatParametersNameMustExist) {
  Json json = chain();
  json["data"] = (folder_ / "absent.txt").string();
  json["stages"][0]["file"] = "${data}";
  EXPECT_TRUE(finds(diagnose(json), "/stages/0/file", "absent.txt"));
  EXPECT_EQ(diagnose(json).size(), 1u);
  write_file_atomically(folder_ / "absent.txt", "now here\n");
  EXPECT_TRUE(diagnose(json).empty());
}

TEST_F(ResolvedConfigTest, PathsAreRelativeToTheConfig) {
  Json json = chain();
  json["stages"][0]["file"] = "words/one.txt";
  EXPECT_TRUE(finds(diagnose(json), "/stages/0/file", (folder_ / "words/one.txt").string()));
  std::filesystem::create_directory(folder_ / "words");
  write_file_atomically(folder_ / "words/one.txt", "one\n");
  const ResolvedConfig config = resolve(json);
  EXPECT_EQ(config.stages[0].parameters["file"], "words/one.txt");
  EXPECT_EQ(instance_parameters(config.stages[0])["file"], (folder_ / "words/one.txt").string());
}

TEST_F(ResolvedConfigTest, ARequiredPathIsNotEmpty) {
  Json json = chain();
  json["stages"][1]["scorer"] = {{"use", "reward.test_keyed"}, {"file", ""}};
  EXPECT_TRUE(finds(diagnose(json), "/stages/1/scorer/file", "found an empty path"));
  json["stages"][1]["scorer"]["file"] = "config.json";
  EXPECT_TRUE(diagnose(json).empty());
}

TEST_F(ResolvedConfigTest, StructureOfOtherKeys) {
  Json json = chain();
  json["smoke"] = 1;
  json["summary"] = {{"rows", Json::array({"cuont"})}};
  const auto diagnostics = diagnose(json);
  EXPECT_TRUE(finds(diagnostics, "/smoke", "expected"));
  EXPECT_TRUE(finds(diagnostics, "/summary/rows/0", "did you mean \"count\"?"));
  json = chain();
  json["stages"] = Json::array();
  EXPECT_TRUE(finds(diagnose(json), "/stages", "at least one"));
  json["stages"] = Json::array({5});
  EXPECT_TRUE(finds(diagnose(json), "/stages/0", "found 5"));
  json.erase("stages");
  EXPECT_TRUE(finds(diagnose(json), "", "\"stages\""));
}

TEST_F(ResolvedConfigTest, UnknownKeySetOnTheCommandLineIsFound) {
  EXPECT_TRUE(finds(diagnose(chain(), {"count.stepz=5"}), "/stages/1/stepz", "steps"));
  EXPECT_TRUE(finds(diagnose(chain(), {"sead=5"}), "/sead", "seed"));
}

TEST_F(ResolvedConfigTest, AnyJsonIsSurvived) {
  // Each value in each place of a small config: findings or none, but never another exception.
  const Json values = Json::parse(R"([null, true, -1, 1.5, "", "${", [], [[]], {}, {"use": 5}, {"use": null}, 1e300])");
  const Json flat = chain().flatten();
  std::size_t refused = 0;
  for (const auto& place : flat.items())
    for (const Json& value : values) {
      Json json = chain();
      json[Json::json_pointer(place.key())] = value;
      refused += diagnose(json).empty() ? 0 : 1;
    }
  EXPECT_GT(refused, flat.size() * values.size() / 2);
}

}  // namespace
}  // namespace retort::host
