// The simulated home: what it carries out, what it refuses, and that bad input never gets further than a reason.
#include "home.h"

#include <gtest/gtest.h>

#include <fstream>
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
  ASSERT_EQ(outcome.effects.size(), 2U);
  EXPECT_EQ(outcome.effects[0], "the kitchen light is on");
  EXPECT_EQ(to_json(outcome)["error"], nullptr);
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
      {R"([{"name":"message_send","arguments":{"person":"nobody","text":"hello"}}])", "address book has no nobody"},
      {R"([{"name":"weather_get","arguments":{"city":"atlantis"}}])", "does not know atlantis"},
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
  EXPECT_TRUE(outcome.effects.empty());
  EXPECT_EQ(outcome.state, run("[]").state);
}

TEST(Home, ToolListOfTheConfigsIsTheHomes) {
  std::ifstream file(std::string(RETORT_TASKS) + "/home/tools.json");
  ASSERT_TRUE(file) << RETORT_TASKS << "/home/tools.json";
  EXPECT_EQ(json::parse(file), tools());
  EXPECT_EQ(task::tools_from_json(tools(), "tools").size(), 23U);
}

}  // namespace
}  // namespace retort::home
