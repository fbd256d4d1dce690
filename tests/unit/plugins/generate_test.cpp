// Putting an environment's rows together: what must be refused.
#include "generate.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace retort::stages {
namespace {

task::Example row(const std::string& utterance, const std::string& id) {
  return {utterance, std::vector<task::Call>{}, {{"template", id}}};
}

TEST(Generate, StripsTrainLabelsOnly) {
  const GeneratedDataset dataset = assemble({row("a", "t.1")}, {row("b", "t.1")}, {row("c", "t.2")});
  EXPECT_FALSE(dataset.train.at(0).calls.has_value());
  EXPECT_TRUE(dataset.validation.at(0).calls.has_value());
  EXPECT_TRUE(dataset.test.at(0).calls.has_value());
  EXPECT_EQ(dataset.train.at(0).metadata["template"], "t.1");
}

TEST(Generate, KeepsTrainLabelsWhenAsked) {
  const GeneratedDataset dataset = assemble({row("a", "t.1")}, {}, {row("c", "t.2")}, TrainLabels::kept);
  EXPECT_TRUE(dataset.train.at(0).calls.has_value());
  EXPECT_THROW(assemble({row("a", "t.1")}, {}, {row("a", "t.2")}, TrainLabels::kept), std::runtime_error);
}

TEST(Generate, RefusesSplitsThatTouch) {
  EXPECT_THROW(assemble({row("Turn it on.", "t.1")}, {}, {row("turn it on", "t.2")}), std::runtime_error);
  EXPECT_THROW(assemble({row("a", "t.1"), row("a", "t.3")}, {}, {}), std::runtime_error);
  EXPECT_THROW(assemble({row("a", "t.1")}, {row("a", "t.1")}, {}), std::runtime_error);
  EXPECT_THROW(assemble({row("a", "pair.1(t.1+t.2)")}, {}, {row("b", "wrap.2(t.2)")}), std::runtime_error);
  EXPECT_THROW(assemble({}, {row("a", "t.1")}, {row("b", "t.1")}), std::runtime_error);
}

TEST(Generate, RefusesRowsThatAreNotLabelledChats) {
  const auto read = [](const char* text) { return read_generated("train", 1, nlohmann::json::parse(text)); };
  EXPECT_THROW(read(R"({"messages":7})"), std::runtime_error);
  EXPECT_THROW(read(R"({"messages":[{"role":"user","content":"a"}]})"), std::runtime_error);
  EXPECT_EQ(read(R"({"messages":[{"role":"user","content":"a"},{"role":"assistant","content":""}]})").utterance(), "a");
}

TEST(Generate, TakesIdsApart) {
  EXPECT_EQ(template_parts("wrap.1(pair.2(a.1+b.2))"), (std::vector<std::string>{"wrap.1", "pair.2", "a.1", "b.2"}));
  EXPECT_TRUE(template_parts("").empty());
}

}  // namespace
}  // namespace retort::stages
