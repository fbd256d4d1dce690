// --set and ${…}.
#include "host/config/config.h"

#include "pipeline_fixture.h"

namespace retort::host {
namespace {

Json overridden(const std::string& text, std::vector<Diagnostic>* out = nullptr) {
  Json document = Json::parse(R"({"seed": 1, "data": {"train": "a.jsonl"}, "stages": [
    {"name": "sft", "use": "stage.sft", "epochs": 1, "algorithm": {"use": "rl.grpo"}}, {"name": "seed"}]})");
  std::vector<Diagnostic> diagnostics;
  apply_override(document, text, diagnostics);
  if (out == nullptr)
    EXPECT_TRUE(diagnostics.empty()) << to_string(diagnostics[0]);
  else
    *out = diagnostics;
  return document;
}

TEST(ConfigOverride, TopLevelValueIsJsonOrText) {
  EXPECT_EQ(overridden("seed=3")["seed"], 3);
  EXPECT_EQ(overridden("seed=x y")["seed"], "x y");
  EXPECT_EQ(overridden("seed=\"3\"")["seed"], "3");
  EXPECT_EQ(overridden("seed=")["seed"], "");
  EXPECT_EQ(overridden("data=[1,2]")["data"], Json::parse("[1,2]"));
  EXPECT_EQ(overridden("data=a=b")["data"], "a=b");
}

TEST(ConfigOverride, StageByShortName) {
  EXPECT_EQ(overridden("sft.epochs=5")["stages"][0]["epochs"], 5);
}

TEST(ConfigOverride, StageByLongNameAndByIndex) {
  EXPECT_EQ(overridden("stages.sft.epochs=5")["stages"][0]["epochs"], 5);
  EXPECT_EQ(overridden("stages.0.epochs=6")["stages"][0]["epochs"], 6);
}

TEST(ConfigOverride, NestedAndNewKeys) {
  EXPECT_EQ(overridden("sft.algorithm.clip=0.1")["stages"][0]["algorithm"]["clip"], 0.1);
  EXPECT_EQ(overridden("sft.inputs.dataset=p")["stages"][0]["inputs"]["dataset"], "p");
  EXPECT_EQ(overridden("data.train=b.jsonl")["data"]["train"], "b.jsonl");
}

TEST(ConfigOverride, TopLevelKeyWinsOverStageName) {
  const Json document = overridden("seed=9");
  EXPECT_EQ(document["seed"], 9);
  EXPECT_EQ(document["stages"][1], Json::parse(R"({"name": "seed"})"));
}

TEST(ConfigOverride, MistakesAreReportedAndChangeNothing) {
  for (const char* text : {"seed", "=3", "a..b=3", "stages.none.epochs=1", "seed.deep=1"}) {
    std::vector<Diagnostic> diagnostics;
    const Json document = overridden(text, &diagnostics);
    ASSERT_EQ(diagnostics.size(), 1u) << text;
    EXPECT_NE(diagnostics[0].message.find(text), std::string::npos) << diagnostics[0].message;
    EXPECT_EQ(document["seed"], 1);
  }
}

std::vector<Diagnostic> substituted(Json& document) {
  std::vector<Diagnostic> diagnostics;
  substitute_references(document, diagnostics);
  return diagnostics;
}

TEST(ConfigReference, WholeStringTakesTheType) {
  Json document =
      Json::parse(R"({"data": {"n": 5, "list": [1]}, "a": "${data.n}", "b": "${data}", "c": ["${data.list}"]})");
  EXPECT_TRUE(substituted(document).empty());
  EXPECT_EQ(document["a"], 5);
  EXPECT_EQ(document["b"], document["data"]);
  EXPECT_EQ(document["c"][0], Json::parse("[1]"));
}

TEST(ConfigReference, InsideTextAndEscaped) {
  Json document = Json::parse(R"({"seed": 5, "data": "d", "a": "${data}/x-${seed}.jsonl", "b": "$${data} $5 {}"})");
  EXPECT_TRUE(substituted(document).empty());
  EXPECT_EQ(document["a"], "d/x-5.jsonl");
  EXPECT_EQ(document["b"], "${data} $5 {}");
}

TEST(ConfigReference, FollowsReferences) {
  Json document = Json::parse(R"({"data": "${name}/calls", "name": "home", "x": "${data}"})");
  EXPECT_TRUE(substituted(document).empty());
  EXPECT_EQ(document["x"], "home/calls");
}

TEST(ConfigReference, MistakesHavePlacesAndNearNames) {
  Json document = Json::parse(R"({"data": "d", "stages": [{"path": "${dta}"}, {"path": "a${open"}], "x": "t${data2.y}",
                                  "loop": "${pool}", "pool": "${loop}"})");
  const auto diagnostics = substituted(document);
  EXPECT_TRUE(finds(diagnostics, "/stages/0/path", "did you mean \"data\"?"));
  EXPECT_TRUE(finds(diagnostics, "/stages/1/path", "without \"}\""));
  EXPECT_TRUE(finds(diagnostics, "/x", "${data2.y}"));
  bool circle = false;
  for (const Diagnostic& diagnostic : diagnostics) circle |= diagnostic.message.find("circle") != std::string::npos;
  EXPECT_TRUE(circle);
}

TEST(ConfigReference, ObjectInsideTextIsRefused) {
  Json document = Json::parse(R"({"data": {"a": 1}, "x": "see ${data}"})");
  EXPECT_TRUE(finds(substituted(document), "/x", "cannot stand inside a string"));
}

class ConfigFile : public PipelineTest {};

TEST_F(ConfigFile, NotAnObjectOrNotJsonNamesTheFile) {
  std::vector<Diagnostic> diagnostics;
  for (const char* text : {"[1]", "{\"a\": }", ""}) {
    write_file_atomically(folder_ / "c.json", text);
    try {
      load_config(folder_ / "c.json", {}, diagnostics);
      FAIL() << text;
    } catch (const std::invalid_argument& error) {
      EXPECT_NE(std::string(error.what()).find("c.json"), std::string::npos) << error.what();
    }
  }
  EXPECT_THROW(load_config(folder_ / "absent.json", {}, diagnostics), std::runtime_error);
}

TEST_F(ConfigFile, PluginsAreRelativeToTheConfigAndPinned) {
  write_file_atomically(folder_ / "my.so", "x");
  Config config{folder_ / "config.json", Json::parse(R"({"plugins": ["my.so", {"path": "my.so", "sha256": "00"},
    {"path": "none.so"}, 5, {"path": "my.so", "sha": "x"}]})")};
  SearchOptions options;
  std::vector<Diagnostic> diagnostics;
  add_config_plugins(config, options, diagnostics);
  ASSERT_FALSE(options.libraries.empty());
  EXPECT_EQ(options.libraries[0], folder_ / "my.so");
  EXPECT_TRUE(finds(diagnostics, "/plugins/1/sha256", "64"));
  EXPECT_TRUE(finds(diagnostics, "/plugins/2/path", "no such file"));
  EXPECT_TRUE(finds(diagnostics, "/plugins/3", "found 5"));
  EXPECT_TRUE(finds(diagnostics, "/plugins/4/sha", "unknown key"));
  EXPECT_EQ(diagnostics.size(), 4u);
}

}  // namespace
}  // namespace retort::host
