// Rows as other trainers read them.
#include "data/chat_formats.h"

#include <gtest/gtest.h>

#include "task/chat_row.h"

namespace retort::data {
namespace {

using nlohmann::json;

task::Conversation weather() {
  task::ReadingNotes notes;
  return task::conversation_from_row(json::parse(R"({"messages": [
    {"role": "system", "content": "brief"},
    {"role": "user", "content": "weather in Oslo and Rome"},
    {"role": "assistant", "tool_calls": [
      {"id": "a", "type": "function", "function": {"name": "weather", "arguments": "{\"city\": \"Oslo\"}"}},
      {"id": "b", "type": "function", "function": {"name": "weather", "arguments": "{\"city\": \"Rome\"}"}}]},
    {"role": "tool", "tool_call_id": "a", "content": "3 degrees"},
    {"role": "tool", "tool_call_id": "b", "content": "18 degrees"},
    {"role": "assistant", "content": "3 and 18"}]})"),
                                     notes);
}

std::vector<task::Tool> tools() {
  return {{"weather", "of a city", json::parse(R"({"type": "object", "properties": {"city": {"type": "string"}}})")}};
}

TEST(ChatFormats, TrlHasArgumentsAsObjectsAndToolsAsText) {
  const json row = in_format(weather(), tools(), ChatFormat::trl);
  EXPECT_EQ(row["messages"][2]["tool_calls"][1]["function"]["arguments"], (json{{"city", "Rome"}}));
  EXPECT_EQ(json::parse(row["tools"].get<std::string>())[0]["function"]["name"], "weather");
  EXPECT_EQ(row["messages"][2]["content"], "");  // beside calls: templates put texts together
  EXPECT_EQ(in_format(weather(), tools(), ChatFormat::axolotl)["messages"][2]["content"], "");
  EXPECT_TRUE(in_format(weather(), tools(), ChatFormat::openai)["messages"][2]["content"].is_null());
}

TEST(ChatFormats, AxolotlHasToolsAsTextAndSaysWhatIsNotTrained) {
  task::Conversation conversation = weather();
  conversation.messages[2].learnt = false;
  const json row = in_format(conversation, tools(), ChatFormat::axolotl);
  EXPECT_TRUE(row["messages"][2]["tool_calls"][0]["function"]["arguments"].is_string());
  EXPECT_EQ(json::parse(row["tools"].get<std::string>())[0]["function"]["name"], "weather");
  EXPECT_EQ(row["messages"][2]["train"], false);
  EXPECT_FALSE(row["messages"][2].contains("weight"));
  EXPECT_FALSE(row["messages"][5].contains("train"));
}

TEST(ChatFormats, OpenAiHasArgumentsAsTextAndReadsBackTheSame) {
  const json row = in_format(weather(), tools(), ChatFormat::openai);
  EXPECT_TRUE(row["messages"][2]["tool_calls"][0]["function"]["arguments"].is_string());
  task::ReadingNotes notes;
  const task::Conversation again = task::conversation_from_row(row, notes);
  EXPECT_EQ(again.messages, weather().messages);
  EXPECT_EQ(*again.tools, tools());
}

TEST(ChatFormats, LlamaFactoryHasTurnsThatAlternate) {
  const json row = in_format(weather(), tools(), ChatFormat::llama_factory);
  EXPECT_EQ(row["system"], "brief");
  ASSERT_EQ(row["conversations"].size(), 4U);
  EXPECT_EQ(row["conversations"][0], (json{{"from", "human"}, {"value", "weather in Oslo and Rome"}}));
  EXPECT_EQ(row["conversations"][1]["from"], "function_call");
  EXPECT_EQ(json::parse(row["conversations"][1]["value"].get<std::string>())[1],
            (json{{"name", "weather"}, {"arguments", {{"city", "Rome"}}}}));
  EXPECT_EQ(row["conversations"][2], (json{{"from", "observation"}, {"value", "3 degrees\n18 degrees"}}));
  EXPECT_EQ(row["conversations"][3], (json{{"from", "gpt"}, {"value", "3 and 18"}}));
  EXPECT_EQ(json::parse(row["tools"].get<std::string>())[0]["name"], "weather");
  task::Conversation plain = weather();
  plain.messages.erase(plain.messages.begin());
  EXPECT_EQ(in_format(plain, tools(), ChatFormat::llama_factory)["system"], "");  // a column that the info names
}

TEST(ChatFormats, SayWhatHasNoPlace) {
  task::Conversation twice = weather();
  twice.messages.insert(twice.messages.begin() + 2, {task::Role::user, "please", {}, {}, {}, true});
  EXPECT_THROW(in_format(twice, tools(), ChatFormat::llama_factory), std::invalid_argument);
  EXPECT_THROW(chat_format("alpaca"), std::invalid_argument);
}

}  // namespace
}  // namespace retort::data
