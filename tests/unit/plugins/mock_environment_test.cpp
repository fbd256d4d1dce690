// environment.mock with a teacher that keeps a shelf of counters: results, states, failures.
#include <gtest/gtest.h>

#include <string>

#include "fixtures.h"
#include "mock_world.h"

namespace retort::mock {
namespace {

using tests::contains;
using tests::error_of;

const char* const shelf_tools =
    R"([{"type": "function", "function": {"name": "take", "parameters": {"type": "object"}}}])";

Json said(const std::string& text) {
  return {{"choices", {{{"message", {{"role", "assistant"}, {"content", text}}}, {"finish_reason", "stop"}}}}};
}

/// Reads the state as a number of apples out of the prompt.
Json keeper(const Json& request) {
  const std::string prompt = request["messages"][0]["content"];
  if (contains(prompt, "nonsense")) return said("I would rather not");
  if (contains(prompt, "broken")) return {{"error", "no answer"}};
  const int apples = std::stoi(prompt.substr(prompt.find("apples:") + 7));
  if (apples == 0) return said(R"({"ok": false, "content": "none left"})");
  return said("```json\n" +
              Json{{"ok", true}, {"content", "an apple"}, {"state", "apples:" + std::to_string(apples - 1)}}.dump() +
              "\n```");
}

Json takes(std::size_t times, const std::string& what = "apple") {
  Json calls = Json::array();
  for (std::size_t i = 0; i < times; ++i) calls.push_back({{"name", "take"}, {"arguments", {{"what", what}}}});
  return calls;
}

TEST(MockEnvironment, TheStateGoesFromCallToCall) {
  const MockWorld world({Json::parse(shelf_tools), "apples:2", "", 0}, &keeper);
  const auto session = world.start("{}"), other = world.start("{}");
  const Json outcome = session->execute(takes(1));
  EXPECT_EQ(outcome["results"][0], (Json{{"ok", true}, {"content", "an apple"}}));
  EXPECT_EQ(session->state(), "apples:1");
  EXPECT_NE(other->execute(Json::array())["state"], outcome["state"]);
  EXPECT_EQ(other->execute(takes(1))["state"], outcome["state"]);
  const Json rest = session->execute(takes(3));
  EXPECT_EQ(rest["ok"], false);
  EXPECT_EQ(rest["error"], "none left");
  EXPECT_EQ(rest["results"][2]["content"], "not run, because a call before it failed");
  EXPECT_EQ(session->state(), "apples:0");
  EXPECT_EQ(world.start(R"({"state": "apples:9"})")->execute(takes(1))["ok"], true);
}

TEST(MockEnvironment, FaultsAreNamed) {
  const MockWorld world({Json::parse(shelf_tools), "apples:2", "", 0}, &keeper);
  const auto failure = [&](const std::string& what) {
    return error_of([&] { world.start("{}")->execute(takes(1, what)); });
  };
  EXPECT_TRUE(contains(failure("nonsense"),
                       "expected a JSON object with \"ok\", \"content\" and \"state\", found \"I would rather not\""));
  EXPECT_TRUE(contains(failure("broken"), "no answer"));
  EXPECT_EQ(world.start("{}")->execute(Json::parse(R"([{"name": "fly"}])"))["error"], "there is no tool \"fly\"");
  EXPECT_EQ(world.start("{}")->execute(Json::parse("[7]"))["ok"], false);
  EXPECT_THROW(world.start(R"({"state": 7})"), std::invalid_argument);
  EXPECT_THROW(MockWorld({Json::parse("[{}]"), "", "", 0}, &keeper), std::invalid_argument);
  const MockWorld asked({Json::parse(shelf_tools), "x", "apples:{state} {call}", 0}, [](const Json& request) {
    const Json call = {{"name", "take"}, {"arguments", {{"what", "apple"}}}};
    EXPECT_EQ(request["messages"][0]["content"], "apples:x " + call.dump());
    return said(R"({"ok": true, "content": {"n": 1}})");
  });
  const auto session = asked.start("{}");
  EXPECT_EQ(session->execute(takes(1))["results"][0]["content"], R"({"n":1})");
  EXPECT_EQ(session->state(), "x");
}

}  // namespace
}  // namespace retort::mock
