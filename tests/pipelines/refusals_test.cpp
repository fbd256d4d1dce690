// The training and compression stages refuse, before any work, an algorithm that asks for what they cannot give: by the
// signal's name, at the algorithm's place in the config. Also options of reinforcement learning without sense.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "child_command.h"

namespace retort::apps {
namespace {

using Json = nlohmann::json;

/// A run as far as a model to go on from.
Json up_to_a_model() {
  return Json::parse(R"({"stages": [
    {"name": "utterances", "use": "stage.generate", "environment": {"use": "environment.home"}},
    {"name": "prototype", "use": "stage.prototype", "inputs": {"dataset": "utterances"},
     "teacher": {"use": "teacher.rules"}, "reward": {"use": "reward.function_call"}},
    {"name": "model", "use": "stage.sft", "inputs": {"dataset": "prototype"}}]})");
}

/// What `retort check` says of `config`, which has mistakes.
std::string mistakes_of(const Json& config) {
  std::string pattern = (std::filesystem::temp_directory_path() / "retort-refusals-XXXXXX").string();
  EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
  const std::filesystem::path folder = pattern;
  std::ofstream(folder / "config.json") << config;
  const Outcome outcome =
      ChildCommand(folder, {"check", (folder / "config.json").string(), "--allow-writable-plugins"}).wait();
  std::filesystem::remove_all(folder);
  EXPECT_EQ(outcome.code, 2) << outcome.err;
  return outcome.err;
}

struct Greedy {
  const char *stage, *component, *signal;
};

void PrintTo(const Greedy& greedy, std::ostream* out) {
  *out << greedy.stage;
}

class GreedyAlgorithm : public ::testing::TestWithParam<Greedy> {};

TEST_P(GreedyAlgorithm, IsRefusedByTheSignalsName) {
  if (!RETORT_WITH_TRAINING) GTEST_SKIP() << "built without the training stages (RETORT_TRAIN=OFF)";
  const auto [stage, component, signal] = GetParam();
  Json config = up_to_a_model();
  config["plugins"] = {GREEDY_PLUGIN};
  Json entry = {{"name", "greedy"}, {"use", stage}, {"inputs", {{"dataset", "prototype"}}}};
  entry["inputs"][stage == std::string("stage.distill") ? "teacher" : "model"] = "model";
  entry["algorithm"] = {{"use", component}};
  if (stage == std::string("stage.rl")) entry["reward"] = {{"use", "reward.function_call"}};
  config["stages"].push_back(entry);
  const std::string said = mistakes_of(config);
  EXPECT_NE(said.find("1 mistake\n"), std::string::npos) << said;
  EXPECT_NE(said.find("/stages/3/algorithm: "), std::string::npos) << said;
  EXPECT_NE(said.find(signal), std::string::npos) << said;
}

INSTANTIATE_TEST_SUITE_P(Each, GreedyAlgorithm,
                         ::testing::Values(Greedy{"stage.distill", "distill.greedy", "VALUES"},
                                           Greedy{"stage.rl", "rl.greedy", "TEACHER_TOP_K"},
                                           Greedy{"stage.preference", "preference.greedy", "ENTROPIES"},
                                           Greedy{"stage.prune", "prune.greedy", "INPUT_HESSIAN"},
                                           Greedy{"stage.sparsify", "sparsify.greedy", "HEAD_NORMS"},
                                           Greedy{"stage.quantize", "quantize.greedy", "bit 57"}),
                         [](const auto& instance) { return std::string(instance.param.stage).substr(6); });

/// No kernel reads fewer than four bits: stage.quantize says so before any work, for every quantizer that could round
/// so, and for a part of the layers too.
TEST(FewBits, AreRefusedByTheirNumber) {
  if (!RETORT_WITH_TRAINING) GTEST_SKIP() << "built without the training stages (RETORT_TRAIN=OFF)";
  Json config = up_to_a_model();
  std::vector<std::string> expected;
  const auto add = [&](const std::string& use, Json algorithm, const std::string& says) {
    algorithm["use"] = use;
    expected.push_back("/stages/" + std::to_string(config["stages"].size()) + "/algorithm: " + use + " asks for " +
                       says);
    config["stages"].push_back({{"name", "small" + std::to_string(expected.size())},
                                {"use", "stage.quantize"},
                                {"inputs", {{"model", "model"}, {"dataset", "prototype"}}},
                                {"algorithm", algorithm}});
  };
  for (const int bits : {2, 3}) {
    const std::string number = std::to_string(bits) + " bits in groups of 32 for model.layers.0.self_attn.qkv";
    for (const char* name : {"rtn", "gptq", "awq", "smoothquant"})
      add("quantize." + std::string(name), {{"bits", bits}, {"group_size", 32}}, "symmetric " + number);
    add("quantize.hqq", {{"bits", bits}, {"group_size", 32}}, "asymmetric " + number);
  }
  add("quantize.rtn", {{"bits", 4}, {"group_size", 32}, {"overrides", {"mlp.down=3"}}},
      "symmetric 3 bits in groups of 32 for model.layers.0.mlp.down");
  const std::string said = mistakes_of(config);
  for (const std::string& line : expected) EXPECT_NE(said.find(line), std::string::npos) << line << said;
  EXPECT_NE(said.find("the model format holds symmetric 8 bits per channel"), std::string::npos) << said;
}

/// What `retort check` says of stages of reinforcement learning with these members.
std::string check_rl_stages(const std::vector<Json>& stages) {
  Json config = up_to_a_model();
  for (const Json& members : stages) {
    Json stage = {{"name", "policy" + std::to_string(config["stages"].size())},
                  {"use", "stage.rl"},
                  {"inputs", {{"dataset", "prototype"}, {"model", "model"}}},
                  {"reward", {{"use", "reward.function_call"}}}};
    stage.update(members);
    config["stages"].push_back(stage);
  }
  return mistakes_of(config);
}

TEST(RlOptions, AGroupOfOneHasNothingToCompareWith) {
  if (!RETORT_WITH_TRAINING) GTEST_SKIP() << "built without the training stages (RETORT_TRAIN=OFF)";
  std::vector<Json> stages;
  for (const char* name : {"grpo", "dr_grpo", "dapo", "gspo", "cispo", "sapo", "rloo"})
    stages.push_back({{"algorithm", {{"use", "rl." + std::string(name)}, {"group_size", 1}}}});
  const std::string said = check_rl_stages(stages);
  for (std::size_t i = 0; i < stages.size(); ++i)
    EXPECT_NE(said.find("/stages/" + std::to_string(3 + i) + "/algorithm/group_size"), std::string::npos) << said;
}

TEST(TrainingDevice, ANameThatIsNoneIsRefusedAtItsPlace) {
  if (!RETORT_WITH_TRAINING) GTEST_SKIP() << "built without the training stages (RETORT_TRAIN=OFF)";
  Json config = up_to_a_model();
  config["stages"][2]["training"] = {{"device", "gpu"}};
  const Json inputs = {{"dataset", "prototype"}, {"model", "model"}};
  config["stages"].push_back({{"name", "policy"},
                              {"use", "stage.rl"},
                              {"inputs", inputs},
                              {"reward", {{"use", "reward.function_call"}}},
                              {"algorithm", {{"use", "rl.grpo"}}},
                              {"training", {{"device", "cuda:x"}}}});
  config["stages"].push_back({{"name", "cut"},
                              {"use", "stage.prune"},
                              {"inputs", inputs},
                              {"algorithm", {{"use", "prune.depth"}}},
                              {"recovery", {{"training", {{"device", "gpu"}}}}}});
  const std::string said = mistakes_of(config), expected = ": expected \"cpu\", \"cuda\" or \"cuda:N\", found \"";
  for (const std::string& line :
       {"/stages/2/training/device" + expected + "gpu", "/stages/3/training/device" + expected + "cuda:x",
        "/stages/4/recovery/training/device" + expected + "gpu"})
    EXPECT_NE(said.find(line), std::string::npos) << line << "\n" << said;
}

TEST(TrainingOptions, WhatAStageWouldLeaveWithoutEffectIsRefusedAtItsPlace) {
  if (!RETORT_WITH_TRAINING) GTEST_SKIP() << "built without the training stages (RETORT_TRAIN=OFF)";
  Json config = up_to_a_model();
  config["stages"][2]["training"] = {{"packing", true}, {"dropout", .1}};  // of stage.sft both are right
  const Json inputs = {{"dataset", "prototype"}, {"model", "model"}}, both = {{"packing", true}, {"dropout", .1}};
  config["stages"].push_back({{"name", "policy"},
                              {"use", "stage.rl"},
                              {"inputs", inputs},
                              {"reward", {{"use", "reward.function_call"}}},
                              {"algorithm", {{"use", "rl.grpo"}}},
                              {"training", both}});
  config["stages"].push_back({{"name", "preferred"},
                              {"use", "stage.preference"},
                              {"inputs", inputs},
                              {"reward", {{"use", "reward.function_call"}}},
                              {"algorithm", {{"use", "preference.dpo"}}},
                              {"training", both}});
  config["stages"].push_back({{"name", "student"},
                              {"use", "stage.distill"},
                              {"inputs", {{"dataset", "prototype"}, {"teacher", "model"}}},
                              {"algorithm", {{"use", "distill.forward_kl"}}},
                              {"training", both}});  // dropout is right here
  const std::string said = mistakes_of(config);
  for (const char* line :
       {"/stages/3/training/packing: expected false", "/stages/3/training/dropout: expected 0, found 0.1",
        "/stages/4/training/packing: expected false", "/stages/4/training/dropout: expected 0, found 0.1",
        "/stages/5/training/packing: expected false", "5 mistakes\n"})
    EXPECT_NE(said.find(line), std::string::npos) << line << "\n" << said;
}

TEST(RlOptions, SeveralTurnsNeedAnEnvironment) {
  if (!RETORT_WITH_TRAINING) GTEST_SKIP() << "built without the training stages (RETORT_TRAIN=OFF)";
  const Json algorithm = {{"use", "rl.grpo"}};
  EXPECT_NE(check_rl_stages({{{"algorithm", algorithm}, {"max_turns", 0}}}).find("/stages/3/max_turns"),
            std::string::npos);
  const std::string said = check_rl_stages({{{"algorithm", algorithm}, {"max_turns", 3}}});
  EXPECT_NE(said.find("max_turns: expected an environment"), std::string::npos) << said;
  EXPECT_NE(said.find("1 mistake\n"), std::string::npos) << said;
}

}  // namespace
}  // namespace retort::apps
