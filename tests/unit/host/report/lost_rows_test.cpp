// Rows lost and gained at a step: which model is the one before, both answers, and what is refused.
#include "host/report/lost_rows.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace retort::host {
namespace {

Json miss(const std::string& utterance, const std::string& found) {
  return {{"utterance", utterance},
          {"expected", Json::array({{{"name", "light_set"}, {"arguments", {{"room", utterance}}}}})},
          {"found", found},
          {"reason", "another call"}};
}

Json evaluation(const std::vector<std::pair<std::string, Json>>& models) {
  Json json = {{"dataset", "utterances"}, {"split", "test"}, {"utterances", 10}, {"models", Json::array()}};
  for (const auto& [name, misses] : models) json["models"].push_back({{"name", name}, {"misses", misses}});
  return json;
}

Json stage(const std::string& name, const Json& inputs) {
  return {{"name", name}, {"inputs", inputs}};
}

const Json record = {{"stages",
                      {stage("teacher", {{"dataset", {"data"}}}), stage("student", {{"teacher", {"teacher"}}}),
                       stage("pruned", {{"model", {"student"}}}), stage("between", {{"model", {"pruned"}}}),
                       stage("tiny", {{"model", {"between"}}, {"dataset", {"data"}}})}}};

std::string refusal(const std::vector<Json>& evaluations, const std::string& name) {
  try {
    lost_rows(record, evaluations, name);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

TEST(LostRows, HaveBothAnswers) {
  const Json found = lost_rows(record,
                               {evaluation({{"student", Json::array({miss("hall", "?"), miss("bath", "off")})},
                                            {"pruned", Json::array({miss("hall", "!"), miss("attic", "on")})}})},
                               "pruned");
  EXPECT_EQ(found.at("before"), "student");
  EXPECT_EQ(found.at("utterances"), 10);
  ASSERT_EQ(found.at("lost").size(), 1U);
  EXPECT_EQ(found.at("lost")[0].at("utterance"), "attic");
  EXPECT_EQ(found.at("lost")[0].at("before"), miss("attic", "").at("expected"));
  EXPECT_EQ(found.at("lost")[0].at("after"), "on");
  ASSERT_EQ(found.at("gained").size(), 1U);
  EXPECT_EQ(found.at("gained")[0].at("before"), "off");
  EXPECT_EQ(found.at("gained")[0].at("after"), miss("bath", "").at("expected"));
  EXPECT_EQ(lost_rows_text(found),
            "pruned after student: 1 lost, 1 gained of 10 utterances (utterances, test)\n\n"
            "lost: attic\n  before  [{\"arguments\":{\"room\":\"attic\"},\"name\":\"light_set\"}]\n  after   on\n"
            "  reason  another call\n\n"
            "gained: bath\n  before  off\n  after   [{\"arguments\":{\"room\":\"bath\"},\"name\":\"light_set\"}]\n"
            "  reason  another call");
}

TEST(LostRows, AreOfTheNearestModelBeforeThatTheLastReportHas) {
  const Json old = evaluation({{"pruned", Json::array({miss("hall", "?")})}, {"tiny", Json::array()}}),
             last = evaluation({{"pruned", Json::array()}, {"tiny", Json::array({miss("hall", "?")})}});
  const Json found = lost_rows(record, {old, last}, "tiny");
  EXPECT_EQ(found.at("before"), "pruned");  // "between" was not evaluated
  EXPECT_EQ(found.at("lost").size(), 1U);
  EXPECT_EQ(lost_rows(record, {last, old}, "tiny").at("gained").size(), 1U);
  EXPECT_EQ(
      lost_rows(record, {evaluation({{"teacher", Json::array()}, {"student", Json::array()}})}, "student").at("before"),
      "teacher");
}

TEST(LostRows, RefuseWhatCannotBeCompared) {
  const Json only = evaluation({{"tiny", Json::array()}});
  EXPECT_NE(refusal({only}, "tny").find("no stage 'tny'; the nearest is 'tiny'"), std::string::npos);
  EXPECT_NE(refusal({only}, "tiny").find("name both in the models of stage.evaluate"), std::string::npos);
  EXPECT_NE(refusal({}, "pruned").find("found none"), std::string::npos);
  EXPECT_NE(refusal({only}, "teacher").find("found none"), std::string::npos);
  Json loop = {{"stages", {stage("a", {{"model", {"b"}}}), stage("b", {{"model", {"a"}}})}}};
  EXPECT_THROW(lost_rows(loop, {}, "a"), std::invalid_argument);  // and comes to an end
}

}  // namespace
}  // namespace retort::host
