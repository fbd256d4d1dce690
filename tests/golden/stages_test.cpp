// stage.evaluate and stage.export on models whose answers follow from their construction (markov_model.h): what they
// write is compared with what the models must answer.
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "evaluation_report.h"
#include "host/base/files.h"
#include "host/base/json.h"
#include "lineage.h"
#include "markov_model.h"
#include "model_card.h"
#include "random_model.h"
#include "runtime/generate/call_model.h"
#include "runtime/measure/evaluation.h"
#include "stage_fixture.h"
#include "task/dataset.h"

namespace retort::golden {

namespace {

using Json = nlohmann::json;
using runtime::testing::TemporaryFolder;
using runtime::testing::write_markov_model;
using task::Call;

const Call light_on{"light_set", {{"state", "on"}}}, light_off{"light_set", {{"state", "off"}}};

/// A model that answers every utterance with light_set, state `word` ("on" or "off").
void write_model(const std::filesystem::path& folder, const std::string& word) {
  write_markov_model(folder, {{"<|assistant|>", "<|call:light_set|>"},
                              {"<|call:light_set|>", "<|state|>"},
                              {"<|state|>", "\u0120" + word}});  // U+0120 is a leading space in the byte alphabet
}

/// test.jsonl with one utterance of each state, one that no tool answers and one without a label.
void write_dataset(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  task::write_split(folder / "test.jsonl", {{"turn the light on", std::vector<Call>{light_on}, {}},
                                            {"turn the light off", std::vector<Call>{light_off}, {}},
                                            {"sing", std::vector<Call>{}, {}},
                                            {"what is this", std::nullopt, {}}});
}

struct World {
  World() {
    write_model(path("sft"), "on");
    write_model(path("pruned"), "off");
    write_dataset(path("data"));
  }
  std::filesystem::path path(const std::string& name) const { return root.path() / name; }
  InputFolder input(const std::string& name) const { return {name, path(name)}; }
  Json evaluated() {
    StageRun run({{"models", {input("sft"), input("pruned")}}, {"dataset", {input("data")}}}, path("report"));
    run.run(LoadedComponent(EVALUATE_PLUGIN, {}));
    metrics = run.metrics;
    facts = run.facts;
    EXPECT_EQ(run.progress_calls, 6);
    return host::read_json(path("report") / "evaluation.json");
  }
  TemporaryFolder root;
  MetricMap metrics;
  std::map<std::string, std::string> facts;
};

template <typename Action>
std::string failure_of(Action action) {
  try {
    action();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "no failure";
}

TEST(EvaluateStage, MeasuresEveryModelAndSaysWhereCallsWereLost) {
  World world;
  const Json report = world.evaluated();
  EXPECT_EQ(report.at("dataset"), "data");
  EXPECT_EQ(report.at("split"), "test");
  EXPECT_EQ(report.at("utterances"), 3);
  ASSERT_EQ(report.at("models").size(), 2u);
  const Json& sft = report.at("models")[0];
  EXPECT_EQ(sft.at("name"), "sft");
  EXPECT_NEAR(sft.at("exact_match").get<double>(), 1 / 3.0, 1e-12);
  EXPECT_EQ(sft.at("malformed"), 0.0);
  EXPECT_GT(sft.at("p50_ms").get<double>(), 0);
  EXPECT_LE(sft.at("p50_ms"), sft.at("p99_ms"));
  EXPECT_EQ(sft.at("tools"), (Json{{"light_set", {{"utterances", 2}, {"exact", 1}, {"exact_match", .5}}},
                                   {"(none)", {{"utterances", 1}, {"exact", 0}, {"exact_match", 0.0}}}}));
  EXPECT_EQ(sft.at("groups").at("calls: one"), (Json{{"utterances", 2}, {"exact", 1}, {"exact_match", .5}}));
  EXPECT_EQ(sft.at("groups").at("calls: none").at("utterances"), 1);
  ASSERT_EQ(sft.at("misses").size(), 2u);
  EXPECT_EQ(sft.at("misses")[0].at("utterance"), "turn the light off");
  EXPECT_EQ(sft.at("misses")[0].at("found"), "<|call:light_set|><|state|> on<|end|>");
  const runtime::CallModel model(world.path("sft"), {});
  EXPECT_EQ(sft.at("parameters"), model.folder().config().parameters());
  EXPECT_EQ(sft.at("bytes"), 4 * model.folder().config().parameters());  // f32
  ASSERT_EQ(report.at("attribution").size(), 1u);
  const Json& lost = report.at("attribution")[0];
  EXPECT_EQ(lost.at("utterance"), "turn the light on");
  EXPECT_EQ(lost.at("expected"), task::calls_to_json({light_on}));
  EXPECT_EQ(lost.at("kept_by"), "sft");
  EXPECT_EQ(lost.at("lost_at"), "pruned");
  EXPECT_NEAR(world.metrics.at("pruned/exact_match"), 1 / 3.0, 1e-12);
  EXPECT_EQ(world.facts.at("utterances"), "3");
  EXPECT_EQ(world.facts.at("lost_calls"), "1");
  EXPECT_EQ(Json::parse(world.facts.at("models"))[1].at("name"), "pruned");
}

TEST(EvaluateStage, TheLimitCountsLabelledUtterances) {
  World world;
  StageRun run({{"models", {world.input("sft")}}, {"dataset", {world.input("data")}}}, world.path("report"));
  run.run(LoadedComponent(EVALUATE_PLUGIN, {{"limit", std::int64_t{1}}}));
  EXPECT_EQ(host::read_json(world.path("report") / "evaluation.json").at("models")[0].at("exact_match"), 1.0);
}

TEST(EvaluateStage, FailuresNameModelAndFile) {
  World world;
  std::filesystem::remove(world.path("pruned") / "tokenizer.json");
  EXPECT_NE(failure_of([&] { world.evaluated(); }).find("model 'pruned' ("), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(world.path("report") / "evaluation.json"));
  StageRun run({{"models", {world.input("sft")}}, {"dataset", {world.input("data")}}}, world.path("other"));
  EXPECT_NE(failure_of([&] {
              run.run(LoadedComponent(EVALUATE_PLUGIN, {{"split", std::string("train")}}));
            }).find("train.jsonl"),
            std::string::npos);
  task::write_split(world.path("data") / "train.jsonl", {{"unlabelled", std::nullopt, {}}});
  EXPECT_NE(failure_of([&] {
              run.run(LoadedComponent(EVALUATE_PLUGIN, {{"split", std::string("train")}}));
            }).find("expected labelled utterances, found none among 1 rows"),
            std::string::npos);
}

/// tools.json of the data set: light_set with these states.
void write_tools(const World& world, const Json& states) {
  const Json parameters = {{"type", "object"}, {"properties", {{"state", {{"type", "string"}, {"enum", states}}}}}};
  host::write_json(world.path("data") / "tools.json", task::tools_to_json({{"light_set", "", parameters}}));
}

TEST(EvaluateStage, LabelsThatNoToolAllowsCountAsWrongAndAreSaid) {
  World world;
  write_tools(world, {"on"});
  const Json report = world.evaluated();
  EXPECT_EQ(report.at("impossible"), 1);
  EXPECT_EQ(world.facts.at("impossible"), "1");
  EXPECT_EQ(report.at("utterances"), 3) << "none is left out";
  EXPECT_NEAR(report.at("models")[0].at("exact_match").get<double>(), 1 / 3.0, 1e-12);
}

TEST(EvaluateStage, ASplitOfImpossibleLabelsIsAnErrorAndNoScore) {
  World world;
  write_tools(world, {"dim"});
  const std::string said = failure_of([&] { world.evaluated(); });
  EXPECT_NE(said.find("2 of 3 rows have labels that no tool allows"), std::string::npos) << said;
  EXPECT_NE(said.find("No model could make one call"), std::string::npos) << said;
  EXPECT_FALSE(std::filesystem::exists(world.path("report") / "evaluation.json"));
}

TEST(EvaluateStage, StopsWhenAsked) {
  World world;
  set_stop(true);
  EXPECT_THROW(world.evaluated(), std::domain_error);
  set_stop(false);
}

TEST(EvaluationReport, RefusesAnEvaluationOfOtherData) {
  stages::MeasuredModel model;
  model.name = "m";
  model.evaluation.misses.push_back({"not in the data", {}, "", ""});
  EXPECT_THROW(stages::evaluation_report({"d", "test", {{"turn the light on", {light_on}}}}, {model}),
               std::logic_error);
}

TEST(EvaluationReport, ReplacesBytesThatAreNotUtf8) {
  stages::MeasuredModel model;
  model.evaluation.misses.push_back({"u", {}, "\xff", "r"});
  const Json report = stages::evaluation_report({"d", "test", {{"u", {}}}}, {model});
  EXPECT_EQ(report.at("models")[0].at("misses")[0].at("found"), "\uFFFD");
  EXPECT_NO_THROW(report.dump());
}

void write_manifest(const std::filesystem::path& folder, const std::string& stage, const Json& inputs) {
  std::filesystem::create_directories(folder);
  host::write_json(folder / "manifest.json", {{"stage", stage},
                                              {"kind", "model"},
                                              {"sha256", "abc"},
                                              {"producer", {{"component", "stage." + stage}}},
                                              {"inputs", inputs},
                                              {"created", "now"}});
}

TEST(ExportStage, WritesACompleteModelThatAnswersItsGoldenCalls) {
  World world;
  world.evaluated();
  write_manifest(world.path("pruned"), "pruned", {{{"name", "model"}, {"stage", "sft"}, {"artifact", "sft"}}});
  write_manifest(world.path("sft"), "sft", Json::array());
  StageRun run(
      {{"model", {world.input("pruned")}}, {"report", {world.input("report")}}, {"dataset", {world.input("data")}}},
      world.path("export"));
  run.run(LoadedComponent(EXPORT_PLUGIN, {{"golden_calls", std::int64_t{2}}, {"title", std::string("Lights")}}));

  for (const char* file : {"config.json", "model.safetensors", "tokenizer.json"})
    EXPECT_EQ(host::read_file(world.path("export") / file), host::read_file(world.path("pruned") / file)) << file;
  EXPECT_FALSE(std::filesystem::exists(world.path("export") / "manifest.json"));

  const Json description = host::read_json(world.path("export") / "retort.json");
  EXPECT_EQ(description.at("task"), host::read_json(world.path("pruned") / "retort.json").at("task"));
  ASSERT_EQ(description.at("golden").size(), 2u);
  for (const Json& golden : description.at("golden"))
    EXPECT_EQ(golden.at("calls"), task::calls_to_json({light_off}));  // what the model says, not what is right
  EXPECT_NEAR(description.at("measured").at("exact_match").get<double>(), 1 / 3.0, 1e-12);
  EXPECT_EQ(description.at("measured").at("utterances"), 3);
  EXPECT_FALSE(description.at("measured").contains("misses"));
  ASSERT_EQ(description.at("lineage").size(), 2u);
  EXPECT_EQ(description.at("lineage")[0].at("stage"), "pruned");
  EXPECT_EQ(description.at("lineage")[1].at("stage"), "sft");

  runtime::CallModel exported(world.path("export"), {});
  EXPECT_EQ(std::get<std::vector<Call>>(exported.answer("turn the light on").parsed), std::vector<Call>{light_off});
  EXPECT_EQ(run.facts.at("parameters"), std::to_string(exported.folder().config().parameters()));
  EXPECT_EQ(run.facts.at("golden_calls"), "2");

  const std::string card = host::read_file(world.path("export") / "README.md");
  for (const char* part : {"# Lights", "retort call . 'turn the light on'", "| **pruned** (this model) |", "33.33 %",
                           "| light\\_set | room, state | Switch a light |", "- sft (model, by stage.sft)"})
    EXPECT_NE(card.find(part), std::string::npos) << part << "\n" << card;
}

TEST(ExportStage, NeedsNothingButTheModel) {
  World world;
  StageRun run({{"model", {world.input("sft")}}}, world.path("export"));
  run.run(LoadedComponent(EXPORT_PLUGIN, {}));
  const Json description = host::read_json(world.path("export") / "retort.json");
  EXPECT_EQ(description.at("golden"), Json::array());
  EXPECT_EQ(description.at("lineage"), Json::array());
  EXPECT_FALSE(description.contains("measured"));
  EXPECT_EQ(host::read_file(world.path("export") / "README.md").find("## Measured"), std::string::npos);
}

TEST(ExportStage, RefusesAModelThatCannotAnswerAndAReportThatIsNone) {
  World world;
  std::filesystem::create_directories(world.path("report"));
  host::write_json(world.path("report") / "evaluation.json", {{"dataset", "d"}});
  StageRun wrong_report({{"model", {world.input("sft")}}, {"report", {world.input("report")}}}, world.path("one"));
  EXPECT_NE(
      failure_of([&] { wrong_report.run(LoadedComponent(EXPORT_PLUGIN, {})); }).find("expected the key \"split\""),
      std::string::npos);
  std::filesystem::remove(world.path("sft") / "retort.json");
  StageRun no_task({{"model", {world.input("sft")}}}, world.path("two"));
  EXPECT_NE(failure_of([&] { no_task.run(LoadedComponent(EXPORT_PLUGIN, {})); }).find("task"), std::string::npos);
}

TEST(Lineage, FollowsNeighboursOnceAndNothingElse) {
  const TemporaryFolder root;
  const auto input = [](const std::string& artifact) { return Json{{"name", "m"}, {"artifact", artifact}}; };
  write_manifest(root.path() / "c", "c", Json::array({input("a"), input("b"), input("../outside")}));
  write_manifest(root.path() / "b", "b", Json::array({input("a")}));
  write_manifest(root.path() / "a", "a", Json::array());
  const Json lineage = stages::lineage_of(root.path() / "c");
  ASSERT_EQ(lineage.size(), 3u);
  EXPECT_EQ(lineage[0].at("stage"), "c");
  EXPECT_EQ(lineage[1].at("stage"), "a");
  EXPECT_EQ(lineage[2].at("stage"), "b");
  EXPECT_FALSE(lineage[0].contains("created"));
  for (const Json& broken : {Json::array(), Json{{"stage", "a"}}}) {
    host::write_json(root.path() / "a" / "manifest.json", broken);
    EXPECT_THROW(stages::lineage_of(root.path() / "c"), std::invalid_argument);
  }
  write_manifest(root.path() / "a", "a", Json{{"name", "not a list of inputs"}});
  EXPECT_THROW(stages::lineage_of(root.path() / "c"), std::invalid_argument);
}

TEST(ModelCard, EscapesWhatUsersWrote) {
  stages::ModelCard card;
  card.title = "a|b";
  card.example_utterance = "it's\nnow";
  card.tools.push_back({"t", "line one\nline | two", Json::object()});
  const std::string text = stages::to_markdown(card);
  EXPECT_NE(text.find("# a\\|b"), std::string::npos);
  EXPECT_NE(text.find("retort call . 'it'\\''s now'"), std::string::npos);
  EXPECT_NE(text.find("| t |  | line one line \\| two |"), std::string::npos) << text;
}

}  // namespace

}  // namespace retort::golden
