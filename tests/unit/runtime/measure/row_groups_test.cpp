// Groups of rows: kinds, numbers of calls, values that training held.
#include "runtime/measure/row_groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "random_model.h"

namespace retort::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const char* const tools_json = R"([{"type": "function", "function": {"name": "play", "parameters": {"type": "object",
  "properties": {"song": {"type": "string"}, "room": {"enum": ["bath"], "type": "string"},
                 "tags": {"type": "array", "items": {"type": "string"}}}}}}])";

task::Call play(nlohmann::json arguments) {
  return {"play", std::move(arguments)};
}

void write(const std::filesystem::path& file, const std::string& text) {
  std::ofstream(file) << text;
}

TEST(RowGroups, SayKindCallsAndValues) {
  const TrainingValues training(task::tools_from_json(nlohmann::json::parse(tools_json), "test"), {"yesterday", "old"});
  const std::vector<task::Call> known = {play({{"song", "Yesterday"}, {"room", "bath"}})};
  EXPECT_THAT(groups_of({"play yesterday", known, {{"kind", "plain"}}}, training),
              ElementsAre("kind: plain", "calls: one", "values: all seen in training"));
  EXPECT_THAT(groups_of({"x", std::vector{play({{"tags", {"old", "new"}}})}}, training),
              ElementsAre("calls: one", "values: one or more unseen"));
  EXPECT_THAT(groups_of({"x", std::vector{play({{"room", "bath"}}), play({})}}, training),
              ElementsAre("calls: several", "values: none"));
  EXPECT_THAT(groups_of({"hello", std::vector<task::Call>()}, std::nullopt), ElementsAre("calls: none"));
  EXPECT_THAT(groups_of({"unlabelled", std::nullopt, {{"kind", 3}}}, training), IsEmpty());

  task::Example later("and now", known);
  later.messages.insert(later.messages.begin(),
                        {{.content = "hi"}, {.role = task::Role::assistant, .content = "yes?"}});
  EXPECT_THAT(groups_of(later, std::nullopt), ElementsAre("calls: one", "turns: several"));
}

TEST(RowGroups, TrainingValuesComeFromLabelledRows) {
  const testing::TemporaryFolder folder;
  EXPECT_FALSE(TrainingValues::read(folder.path()));
  write(folder.path() / "tools.json", tools_json);
  write(folder.path() / "train.jsonl", R"({"messages": [{"role": "user", "content": "play it"}]})"
                                       "\n");
  EXPECT_FALSE(TrainingValues::read(folder.path())) << "no labelled row";
  write(
      folder.path() / "train.jsonl",
      "no row\n"
      R"({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": {"name": "play", "arguments": "{\"song\": \"Help\", \"tags\": [\"b\"]}"}}]}]})"
      "\n");
  const auto training = TrainingValues::read(folder.path());
  ASSERT_TRUE(training);
  EXPECT_TRUE(training->holds_all({play({{"song", "help"}, {"tags", {"B"}}})}));
  EXPECT_FALSE(training->holds_all({play({{"song", "help"}, {"tags", {"c"}}})}));
  EXPECT_FALSE(training->has_values({play({{"room", "bath"}})}));
}

}  // namespace
}  // namespace retort::runtime
