// The simulated home: what it carries out, what it refuses, and that bad input never gets further than a reason.
#include "home.h"

#include <gtest/gtest.h>

#include <fstream>
#include <stdexcept>
#include <string>

#include "task/call.h"
#include "tools.h"

namespace retort::home {
namespace {

using nlohmann::json;

Outcome run(const char* calls) {
  return execute(json::parse(calls));
}

TEST(Home, CarriesOutCallsInOrder) {
  const Outcome outcome = run(R"([{"name":"light_switch","arguments":{"room":"kitchen","state":"on"}},
                                  {"name":"vacuum_dock","arguments":{}}])");
  EXPECT_TRUE(outcome.ok) << outcome.error;
  ASSERT_EQ(outcome.results.size(), 2U);
  EXPECT_TRUE(outcome.results[0].ok && outcome.results[1].ok);
  EXPECT_EQ(outcome.results[0].content, "the kitchen light is on");
  EXPECT_EQ(to_json(outcome)["error"], nullptr);
}

TEST(Home, KnowsAnyPersonAndCity) {
  const Outcome outcome = run(R"([{"name":"message_send","arguments":{"person":"my sister","text":"hi"}},
                                  {"name":"weather_get","arguments":{"city":"chattanooga"}},
                                  {"name":"weather_get","arguments":{"city":"\u6771\u4eac"}}])");
  EXPECT_TRUE(outcome.ok) << outcome.error;
}

TEST(Home, StateTellsCallsApart) {
  const std::string nothing = run("[]").state;
  const std::string on = run(R"([{"name":"light_switch","arguments":{"room":"kitchen","state":"on"}}])").state;
  const std::string off = run(R"([{"name":"light_switch","arguments":{"room":"kitchen","state":"off"}}])").state;
  EXPECT_EQ(nothing.size(), 16U);
  EXPECT_NE(nothing, on);
  EXPECT_NE(on, off);
  EXPECT_EQ(on, run(R"([{"name":"light_switch","arguments":{"room":"kitchen","state":"on"}}])").state);
}

struct RefusedCase {
  const char* calls;
  const char* reason;
};

TEST(Home, RefusesWhatItCannotDo) {
  const RefusedCase cases[] = {
      {R"([{"name":"blinds_set","arguments":{"room":"garage","position":0}}])", "no blind in the garage"},
      {R"([{"name":"alarm_cancel","arguments":{"time":"04:05"}}])", "no alarm is set for 04:05"},
      {R"([{"name":"thermostat_set","arguments":{"temperature":35}}])", "expected 12 to 28, found 35"},
      {R"([{"name":"oven_heat","arguments":{"temperature":20}}])", "expected 50 to 275, found 20"},
      {R"([{"name":"tv_channel","arguments":{"room":"nursery","channel":3}}])", "no television in the nursery"},
      {R"([{"name":"vacuum_start","arguments":{"rooms":["office","office"]}}])", "named twice"},
      {R"([{"name":"message_send","arguments":{"person":" ","text":"hello"}}])", "the person is empty"},
      {R"([{"name":"message_send","arguments":{"person":"anna","text":""}}])", "the message is empty"},
      {R"([{"name":"weather_get","arguments":{"city":"..."}}])", "the city is empty"},
      {R"([{"name":"weather_get","arguments":{"city":"paris and also please tell me whether it will rain there tomorrow"}}])",
       "the city: expected a name of at most 60 bytes, found 65"},
      {R"([{"name":"reminder_add","arguments":{"text":" ","time":"10:00"}}])", "is empty"},
      {R"([{"name":"reminder_add","arguments":{"text":"rest","time":"25:00"}}])", "time"},
      {R"([{"name":"light_switch","arguments":{"room":"attic","state":"on"}}])", "room"},
      {R"([{"name":"light_switch","arguments":{"room":"kitchen"}}])", "state"},
      {R"([{"name":"light_switch","arguments":{"room":"kitchen","state":"on","speed":1}}])",
       "unknown argument \"speed\""},
      {R"([{"name":"fly","arguments":{}}])", "unknown tool \"fly\""},
      {R"([{"name":"fly"}])", "expected {\"name\""},
      {R"([7])", "expected {\"name\""},
      {R"({"name":"vacuum_dock"})", "expected a list of calls"}};
  for (const RefusedCase& one : cases) {
    const Outcome outcome = run(one.calls);
    EXPECT_FALSE(outcome.ok) << one.calls;
    EXPECT_NE(outcome.error.find(one.reason), std::string::npos) << one.calls << ": " << outcome.error;
  }
}

TEST(Home, AFailedCallChangesNothingAndEndsTheList) {
  const Outcome outcome = run(R"([{"name":"shopping_add","arguments":{"items":["milk","milk"]}},
                                  {"name":"vacuum_dock","arguments":{}}])");
  EXPECT_FALSE(outcome.ok);
  EXPECT_NE(outcome.error.find("call 1 (shopping_add)"), std::string::npos) << outcome.error;
  ASSERT_EQ(outcome.results.size(), 2U);
  EXPECT_FALSE(outcome.results[0].ok || outcome.results[1].ok);
  EXPECT_NE(outcome.results[1].content.find("an earlier call failed"), std::string::npos);
  EXPECT_EQ(outcome.state, run("[]").state);
}

TEST(Home, ResultsCarryTheCallsIds) {
  const json outcome = to_json(run(R"([{"id":"a","name":"vacuum_dock","arguments":{}},{"id":"b","name":"fly"}])"));
  ASSERT_EQ(outcome["results"].size(), 2U);
  EXPECT_EQ(outcome["results"][0]["id"], "a");
  EXPECT_EQ(outcome["results"][1]["id"], "b");
  EXPECT_EQ(outcome["results"][1]["ok"], false);
}

TEST(Home, GoesOnOverTurnsAndFromASavedState) {
  const json add = json::parse(R"([{"name":"shopping_add","arguments":{"items":["milk"]}}])");
  Home home;
  const std::string state = execute(home, add).state;
  EXPECT_NE(state, run("[]").state);
  EXPECT_NE(execute(home, add).error.find("already on the shopping list"), std::string::npos);
  Home saved(json::parse(home.state().dump()));
  EXPECT_EQ(execute(saved, json::array()).state, state);
  EXPECT_FALSE(execute(saved, add).ok);
  EXPECT_TRUE(execute(add).ok);  // another home
}

TEST(Home, RefusesAStateThatIsNone) {
  EXPECT_THROW(Home{json(7)}, std::invalid_argument);
  EXPECT_THROW(Home{json::object()}, std::invalid_argument);
  json state = Home().state();
  state["music"]["track"] = "three";
  EXPECT_THROW(Home{state}, std::invalid_argument);
  state = Home().state();
  state["garden"] = 1;
  EXPECT_THROW(Home{state}, std::invalid_argument);
  state = Home().state();
  state["alarms"] = json::object();  // all of them cancelled
  EXPECT_NO_THROW(Home{state});
}

TEST(Home, ToolListOfTheConfigsIsTheHomes) {
  std::ifstream file(std::string(RETORT_TASKS) + "/home/tools.json");
  ASSERT_TRUE(file) << RETORT_TASKS << "/home/tools.json";
  EXPECT_EQ(json::parse(file), tools());
  EXPECT_EQ(task::tools_from_json(tools(), "tools").size(), 23U);
}

}  // namespace
}  // namespace retort::home
