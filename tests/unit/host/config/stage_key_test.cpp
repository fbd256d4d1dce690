// What a key depends on, and what it does not.
#include "host/config/stage_key.h"

#include <fstream>

#include "host/base/installation.h"
#include "pipeline_fixture.h"

namespace retort::host {
namespace {

class StageKeyTest : public PipelineTest {
 protected:
  std::string key(const Json& json, std::size_t stage = 1, const std::vector<InputArtifact>& inputs = {}) const {
    const ResolvedConfig config = resolve(json);
    return stage_key(stage_recipe(config, config.stages[stage], inputs));
  }
};

TEST_F(StageKeyTest, IsStable) {
  EXPECT_EQ(key(chain()), key(chain()));
  EXPECT_EQ(key(chain()).size(), 64u);
}

TEST_F(StageKeyTest, WrittenOutDefaultsChangeNothing) {
  Json json = chain();
  json["stages"][1]["steps"] = 5;
  json["description"] = "other words";
  EXPECT_EQ(key(json), key(chain()));
}

TEST_F(StageKeyTest, LibraryPathChangesNothing) {
  ResolvedConfig config = resolve(chain());
  const std::string before = stage_key(stage_recipe(config, config.stages[1], {}));
  std::filesystem::copy_file(config.stages[1].component.library, folder_ / "elsewhere.so");
  config.stages[1].component.library = folder_ / "elsewhere.so";
  EXPECT_EQ(stage_key(stage_recipe(config, config.stages[1], {})), before);
}

TEST_F(StageKeyTest, DependsOnWhatMattersToTheResult) {
  std::set<std::string> keys = {key(chain())};
  Json json = chain();
  json["stages"][1]["steps"] = 6;
  EXPECT_TRUE(keys.insert(key(json)).second) << "parameter";
  json = chain();
  json["seed"] = 8;
  EXPECT_TRUE(keys.insert(key(json)).second) << "seed";
  json = chain();
  json["threads"] = 2;
  EXPECT_TRUE(keys.insert(key(json)).second) << "threads";
  json = chain();
  json["stages"][1]["scorer"] = {{"use", "reward.test_scorer"}};
  EXPECT_TRUE(keys.insert(key(json)).second) << "slot";
  json["stages"][1]["scorer"]["scale"] = 2;
  EXPECT_TRUE(keys.insert(key(json)).second) << "slot's parameter";
  json["stages"][1]["scorer"]["parts"] = Json::array({{{"use", "reward.test_scorer"}}});
  EXPECT_TRUE(keys.insert(key(json)).second) << "nested component";
  json["stages"][1]["scorer"]["parts"][0]["judge"] = {{"use", "teacher.test_echo"}};
  EXPECT_TRUE(keys.insert(key(json)).second) << "its own";
  json["stages"][1]["scorer"]["parts"][0]["judge"]["answer"] = "no";
  EXPECT_TRUE(keys.insert(key(json)).second) << "and its parameter";
  EXPECT_TRUE(keys.insert(key(chain(), 1, {{"dataset", "source", "source-1", "aa"}})).second) << "input";
  EXPECT_TRUE(keys.insert(key(chain(), 1, {{"dataset", "source", "source-1", "bb"}})).second) << "input's content";
  ResolvedConfig config = resolve(chain());
  config.stages[1].component.version = "1.0.1";
  EXPECT_TRUE(keys.insert(stage_key(stage_recipe(config, config.stages[1], {}))).second) << "component's version";
}

TEST_F(StageKeyTest, RetortsOwnLibrariesCount) {
  ResolvedConfig config = resolve(chain());
  const auto libraries = [&] { return stage_recipe(config, config.stages[1], {}).at("libraries"); };
  EXPECT_EQ(libraries(), Json({{"libretort-core", sha256_of_file(core_library())}}));
  const std::filesystem::path training = folder_ / "training.so";
  std::filesystem::copy_file(config.stages[1].component.library, training);
  std::ofstream(training, std::ios::app) << "libretort-train.so.0";
  config.stages[1].component.library = training;
  EXPECT_EQ(libraries().size(), 2u);
  EXPECT_EQ(libraries().at("libretort-train").is_null(), training_library().empty());
  if (!training_library().empty()) {
    EXPECT_EQ(libraries().at("libretort-train"), sha256_of_file(training_library()));
  }
}

TEST_F(StageKeyTest, ContentOfNamedFilesCounts) {
  Json json = chain();
  json["stages"][0]["file"] = (folder_ / "words.txt").string();
  write_file_atomically(folder_ / "words.txt", "one");
  const std::string first = key(json, 0);
  EXPECT_EQ(key(json, 0), first);
  write_file_atomically(folder_ / "words.txt", "two");
  EXPECT_NE(key(json, 0), first);
}

TEST_F(StageKeyTest, WhereTheProjectLiesDoesNotCount) {
  Json json = chain();
  json["stages"][0]["file"] = "words.txt";
  std::set<std::string> keys;
  for (const char* place : {"here", "there"}) {
    std::filesystem::create_directory(folder_ / place);
    write_file_atomically(folder_ / place / "words.txt", "one");
    std::vector<Diagnostic> diagnostics;
    const ResolvedConfig config = resolve_config({folder_ / place / "config.json", json}, registry(), diagnostics);
    ASSERT_TRUE(diagnostics.empty()) << to_string(diagnostics[0]);
    keys.insert(stage_key(stage_recipe(config, config.stages[0], {})));
  }
  EXPECT_EQ(keys.size(), 1u);
}

TEST_F(StageKeyTest, ContentOfNamedFoldersCounts) {
  Json json = chain();
  const std::filesystem::path folder = folder_ / "words";
  std::filesystem::create_directories(folder / "deep");
  write_file_atomically(folder / "deep/a.txt", "one");
  json["stages"][0]["file"] = folder.string();
  const std::string first = key(json, 0);
  std::filesystem::rename(folder / "deep/a.txt", folder / "deep/b.txt");
  EXPECT_NE(key(json, 0), first);
}

TEST(StageSeed, DiffersByStageAndSeed) {
  EXPECT_EQ(stage_seed(7, "sft"), stage_seed(7, "sft"));
  EXPECT_NE(stage_seed(7, "sft"), stage_seed(7, "rl"));
  EXPECT_NE(stage_seed(7, "sft"), stage_seed(8, "sft"));
}

TEST(RecipeDifference, NamesPlaceAndValues) {
  const Json before = {{"parameters", {{"epochs", 3}, {"rate", 0.1}}}, {"seed", 1}};
  Json after = before;
  EXPECT_EQ(recipe_difference(before, after), "");
  after["parameters"]["epochs"] = 5;
  EXPECT_EQ(recipe_difference(before, after), "parameters/epochs: 3 → 5");
  after["libraries"]["libretort-core"] = "other";
  EXPECT_EQ(recipe_difference(before, after), "parameters/epochs: 3 → 5, libraries: Retort itself was built anew");
  after.erase("libraries");
  after["parameters"].erase("rate");
  EXPECT_NE(recipe_difference(before, after).find("parameters/rate: 0.1 → nothing"), std::string::npos);
}

}  // namespace
}  // namespace retort::host
