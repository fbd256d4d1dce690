// reward.mix and reward.execution through the C ABI, mixed with reward.sim_rl.
#include <gtest/gtest.h>
#include <retort/abi/reward.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "loaded_plugin.h"

namespace retort::golden {
namespace {

using nlohmann::json;

const json tools = {
    {{"type", "function"},
     {"function",
      {{"name", "light"}, {"parameters", {{"type", "object"}, {"properties", {{"room", {{"type", "string"}}}}}}}}}}};

json item(const std::string& room, const json& execution) {
  json made = {{"messages", json::array()},
               {"text", ""},
               {"response", {{"calls", {{{"name", "light"}, {"arguments", {{"room", room}}}}}}}},
               {"reference", {{"calls", {{{"name", "light"}, {"arguments", {{"room", "hall"}}}}}}}},
               {"reference_execution", {{"ok", true}, {"state", "a"}}}};
  if (!execution.is_null()) made["execution"] = execution;
  return made;
}

/// What a reward says of the items, by index.
std::vector<json> scores_of(const LoadedComponent& reward, const json& items) {
  Items found;
  const retort_item_sink sink = sink_into(found);
  const std::string tools_text = tools.dump(), items_text = items.dump();
  const retort_reward_batch batch{
      sizeof batch, 0, {tools_text.data(), tools_text.size()}, {items_text.data(), items_text.size()}};
  throw_if_error(reward.functions<retort_reward_v1>(RETORT_REWARD_INTERFACE).score(reward.instance(), &batch, &sink));
  std::vector<json> by_index(items.size());
  for (const auto& [index, text] : found) by_index.at(index) = json::parse(text);
  return by_index;
}

TEST(ExecutionReward, TheStateDecides) {
  const LoadedComponent reward(EXECUTION_PLUGIN, {{"different_state", .25}, {"failed", -.5}, {"malformed", -1.0}});
  const json ok = {{"ok", true}, {"state", "a"}}, other = {{"ok", true}, {"state", "b"}},
             refused = {{"ok", false}, {"error", "no such room"}};
  json malformed = item("hall", ok);
  malformed["response"] = {{"malformed", "cut"}};
  const auto found = scores_of(
      reward, {item("bath", ok), item("hall", other), item("hall", refused), malformed, item("hall", nullptr), 7});
  EXPECT_EQ(found[0]["scores"]["score"], 1);  // whatever the calls look like
  EXPECT_EQ(found[1]["scores"]["score"], .25);
  EXPECT_EQ(found[2]["scores"]["score"], -.5);
  EXPECT_EQ(found[2]["reason"], "no such room");
  EXPECT_EQ(found[3]["scores"]["score"], -1);
  EXPECT_EQ(found[3]["malformed"], true);
  EXPECT_NE(found[4]["error"].get<std::string>().find("environment"), std::string::npos);
  EXPECT_TRUE(found[5].contains("error"));
}

TEST(MixedRewards, AreAWeightedSumThatShowsItsParts) {
  const LoadedComponent execution(EXECUTION_PLUGIN, {}), likeness(SIM_RL_PLUGIN, {});
  const std::vector<retort_bound_component> both = {execution.bound("rewards", RETORT_REWARD_INTERFACE),
                                                    likeness.bound("rewards", RETORT_REWARD_INTERFACE)};
  const LoadedComponent mix(MIX_PLUGIN, {{"weights/0", 2.0}, {"weights/1", .5}}, both);
  std::string names;
  const retort_text_sink sink = sink_into(names);
  throw_if_error(mix.functions<retort_reward_v1>(RETORT_REWARD_INTERFACE).scores(mix.instance(), &sink));
  const json declared = json::parse(names);
  ASSERT_EQ(declared.size(), 3U);
  EXPECT_EQ(declared[0]["name"], "score");
  EXPECT_EQ(declared[0]["minimum"], -.5);
  EXPECT_EQ(declared[0]["maximum"], 2.5);
  EXPECT_EQ(declared[2]["name"], "2.score");

  const json ok = {{"ok", true}, {"state", "a"}};
  json unreadable = item("hall", nullptr);
  json malformed = item("hall", ok);
  malformed["response"] = {{"malformed", "cut"}};
  const auto found = scores_of(mix, {item("hall", ok), item("bath", ok), unreadable, malformed});
  EXPECT_EQ(found[0]["scores"], (json{{"score", 2.5}, {"1.score", 1}, {"2.score", 1}}));
  EXPECT_EQ(found[0]["reason"], "");
  EXPECT_EQ(found[1]["scores"], (json{{"score", 2}, {"1.score", 1}, {"2.score", 0}}));
  EXPECT_NE(found[1]["reason"].get<std::string>().find("2 (reward.sim_rl)"), std::string::npos);
  EXPECT_NE(found[2]["error"].get<std::string>().find("1 (reward.execution)"), std::string::npos);
  EXPECT_EQ(found[3]["scores"]["score"], -.5);
  EXPECT_EQ(found[3]["malformed"], true);
  EXPECT_THROW(LoadedComponent(MIX_PLUGIN, {{"weights/0", 2.0}}, both), std::invalid_argument);
}

}  // namespace
}  // namespace retort::golden
