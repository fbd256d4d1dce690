// What does not fit is refused before any work, by name and by its place in the config: one test for each thing that
// can be wrong between a config, its components and the ABI.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "host/config/resolved_config.h"
#include "host/run/stage_check.h"

namespace retort::host {
namespace {

namespace fs = std::filesystem;

class RefusedConfig : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "retort-refusal-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  /// Everything that `retort check` finds, a line each, of a stage whose slot "scorer" holds `scorer`.
  std::string findings(const Json& scorer, const std::string& use = "stage.test_count") const {
    SearchOptions options;
    options.libraries = {TEST_STAGES_PLUGIN};
    for (const char* name : {"abi_minor", "short_table", "null_score"})
      options.libraries.push_back(fs::path(TEST_PLUGINS) / (std::string(name) + ".so"));
    options.environment = false;
    options.allow_writable = true;
    options.cache_folder = fs::temp_directory_path() / ("retort-refusal-cache-" + std::to_string(::getuid()));
    Json document = {{"stages",
                      {{{"name", "source"}, {"use", "stage.test_source"}},
                       {{"name", "count"}, {"use", use}, {"inputs", {{"dataset", "source"}}}}}}};
    if (!scorer.is_null()) document["stages"][1]["scorer"] = scorer;
    write_json(folder_ / "config.json", document);
    try {
      std::optional<Registry> registry;
      const ResolvedConfig config = load_and_resolve(folder_ / "config.json", {}, options, registry);
      require_sound_stages(config, *registry);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "nothing was found";
  }
  fs::path folder_;
};

#define EXPECT_FOUND(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST_F(RefusedConfig, ASoundOneIsNot) {
  EXPECT_EQ(findings({{"use", "reward.test_scorer"}}), "nothing was found");
}

TEST_F(RefusedConfig, AComponentOfAnotherInterface) {
  const std::string text = findings({{"use", "teacher.test_echo"}});
  EXPECT_FOUND(text, "/stages/1/scorer/use: \"teacher.test_echo\" implements retort.teacher/1");
  EXPECT_FOUND(text, "expected a component of retort.reward/1");
}

TEST_F(RefusedConfig, ANestedComponentOfAnotherInterface) {
  const std::string text = findings({{"use", "reward.test_strict"}, {"judge", {{"use", "reward.test_scorer"}}}});
  EXPECT_FOUND(text, "/stages/1/scorer/judge/use: \"reward.test_scorer\" implements retort.reward/1");
}

TEST_F(RefusedConfig, AnEmptySlot) {
  EXPECT_FOUND(findings({{"use", "reward.test_strict"}}), "/stages/1/scorer: \"judge\" is missing");
}

TEST_F(RefusedConfig, ComponentsThatNestWithoutEnd) {
  for (const int levels : {9, 200}) {  // JSON itself may nest to 512
    Json scorer = {{"use", "reward.test_scorer"}};
    for (int depth = 0; depth < levels; ++depth)
      scorer = {{"use", "reward.test_scorer"}, {"parts", Json::array({scorer})}};
    EXPECT_FOUND(findings(scorer), "components nest deeper than 8 levels");
  }
}

TEST_F(RefusedConfig, APluginBuiltForANewerMinorVersion) {
  const std::string text = findings({{"use", "reward.abi_minor"}});
  EXPECT_FOUND(text, "/stages/1/scorer/use: unknown component \"reward.abi_minor\"");
  EXPECT_FOUND(text, "wants plugin ABI 1.99 or a later minor version, this host has 1.0");
  EXPECT_FOUND(text, "update Retort");
}

TEST_F(RefusedConfig, ATableShorterThanItsVersionSays) {
  const std::string text = findings({{"use", "reward.short_table"}});
  EXPECT_FOUND(text, "/stages/1/scorer: component \"reward.short_table\"");
  EXPECT_FOUND(text, "its table of retort.reward/1 has struct_size 16, expected at least 24");
}

TEST_F(RefusedConfig, ATableWithoutAFunction) {
  EXPECT_FOUND(findings({{"use", "reward.null_score"}}), "function score() of its table of retort.reward/1 is NULL");
}

TEST_F(RefusedConfig, AnAlgorithmThatAsksForWhatTheStageCannotGive) {
  const std::string text = findings({{"use", "reward.test_trouble"}, {"what", "asks"}});
  EXPECT_FOUND(text, "/stages/1/scorer: asks for the impossible; this stage offers counting");
}

TEST_F(RefusedConfig, AStageInASlotOfStages) {
  EXPECT_FOUND(findings(nullptr, "reward.test_scorer"), "/stages/1/use: \"reward.test_scorer\" implements");
}

}  // namespace
}  // namespace retort::host
