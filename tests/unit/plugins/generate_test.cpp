// Putting an environment's rows together: what must be refused.
#include "generate.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace retort::stages {
namespace {

task::Example row(const std::string& utterance, const std::string& id) {
  return {utterance, std::vector<task::Call>{}, {{"template", id}}};
}

using Rows = std::vector<task::Example>;

void take(const Rows& train, const Rows& validation, const Rows& test) {
  SplitsApart apart;
  const std::pair<const char*, const Rows&> splits[] = {{"train", train}, {"validation", validation}, {"test", test}};
  for (const auto& [name, rows] : splits)
    for (std::size_t i = 0; i < rows.size(); ++i) apart.take(name, i + 1, rows[i]);
}

TEST(Generate, StripsLabels) {
  const task::Example stripped = without_labels(row("a", "t.1"));
  EXPECT_FALSE(stripped.calls.has_value());
  EXPECT_EQ(stripped.utterance(), "a");
  EXPECT_EQ(stripped.metadata["template"], "t.1");
}

TEST(Generate, TakesSplitsThatAreApart) {
  EXPECT_NO_THROW(take({row("a", "t.1"), row("A.", "t.1")}, {row("b", "t.1")}, {row("c", "t.2"), row("d", "t.2")}));
}

TEST(Generate, RefusesSplitsThatTouch) {
  EXPECT_THROW(take({row("a", "t.1")}, {}, {row("a", "t.2")}), std::runtime_error);
  EXPECT_THROW(take({row("Turn it on.", "t.1")}, {}, {row("turn it on", "t.2")}), std::runtime_error);
  EXPECT_THROW(take({row("a", "t.1"), row("a", "t.3")}, {}, {}), std::runtime_error);
  EXPECT_THROW(take({row("a", "t.1")}, {row("a", "t.1")}, {}), std::runtime_error);
  EXPECT_THROW(take({row("a", "pair.1(t.1+t.2)")}, {}, {row("b", "wrap.2(t.2)")}), std::runtime_error);
  EXPECT_THROW(take({}, {row("a", "t.1")}, {row("b", "t.1")}), std::runtime_error);
  try {
    take({row("a", "t.1")}, {}, {row("b", "t.2"), row("A?", "t.2")});
    FAIL() << "an utterance of train was taken";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("test row 2: expected a new utterance, found \"A?\" of train"),
              std::string::npos)
        << error.what();
  }
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
