// Which template of a model is used, with which special tokens; the data of `retort template`; the fixed clock.
#include "task/chat_template.h"

#include <gtest/gtest.h>

#include "fixtures.h"
#include "host/base/files.h"

namespace retort::task {
namespace {

using Json = nlohmann::ordered_json;

class ChatTemplateTest : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((folder_ / name).parent_path());
    host::write_file_atomically(folder_ / name, text);
  }
  std::string render(const ChatInput& input = {}) const { return ChatTemplate::load(folder_.path()).render(input); }
  static ChatInput with_tools() {
    ChatInput input;
    input.tools = Json::array();
    return input;
  }
  tests::TemporaryFolder folder_;
};

TEST_F(ChatTemplateTest, TextInTokenizerConfig) {
  write("tokenizer_config.json",
        R"({"chat_template": "{{ bos_token }}{{ eos_token }}|{{ pad_token is defined }}|{{ messages[0].content }}",
            "bos_token": "<s>", "eos_token": {"content": "</s>", "lstrip": false}, "pad_token": null})");
  ChatInput input;
  input.messages = {{{"role", "user"}, {"content", "hi"}}};
  EXPECT_EQ(render(input), "<s></s>|False|hi");
  EXPECT_EQ(ChatTemplate::load(folder_ / "tokenizer_config.json").render(input), "<s></s>|False|hi");
  input.variables["bos_token"] = "mine";
  EXPECT_EQ(render(input), "mine</s>|False|hi");
}

TEST_F(ChatTemplateTest, NamedTemplates) {
  write("tokenizer_config.json",
        R"({"chat_template": [{"name": "default", "template": "plain"}, {"name": "tool_use", "template": "tools"}]})");
  EXPECT_EQ(render(), "plain");
  EXPECT_EQ(render(with_tools()), "tools");
  write("tokenizer_config.json", R"({"chat_template": [{"name": "rag", "template": "x"}]})");
  EXPECT_TRUE(tests::contains(tests::error_of([&] { render(); }), "expected a template named 'default', found rag"));
}

TEST_F(ChatTemplateTest, FileComesBeforeTokenizerConfig) {
  write("tokenizer_config.json", R"({"chat_template": "old {% nonsense", "bos_token": "<s>"})");
  write("special_tokens_map.json", R"({"bos_token": "other", "eos_token": {"content": "</s>"}})");
  write("chat_template.jinja", "{{ bos_token }}{{ eos_token }}{{ tools is none }}{{ documents is none }}\n");
  EXPECT_EQ(render(), "<s></s>TrueTrue");
  write("additional_chat_templates/tool_use.jinja", "with tools");
  EXPECT_EQ(render(with_tools()), "with tools");
  EXPECT_EQ(ChatTemplate::load(folder_ / "chat_template.jinja").render({}), "TrueTrue");
}

TEST_F(ChatTemplateTest, ErrorsSayWhereAndWhatToDo) {
  const auto load = [&] { return tests::error_of([&] { ChatTemplate::load(folder_.path()); }); };
  EXPECT_TRUE(tests::contains(load(), "expected a chat template (chat_template.jinja, or chat_template in"));
  write("tokenizer_config.json", R"({"chat_template": 5})");
  EXPECT_TRUE(tests::contains(load(), "/chat_template: expected a string, found 5")) << load();
  write("tokenizer_config.json", R"({"chat_template": "a\n{% nope %}"})");
  EXPECT_TRUE(tests::contains(load(), "tokenizer_config.json: chat_template:2:4: the tag 'nope'")) << load();
  write("tokenizer_config.json", R"({"chat_template": "a", "bos_token": 5})");
  EXPECT_TRUE(tests::contains(load(), "/bos_token: expected a string, found 5")) << load();
}

TEST(ChatInputTest, DataIsCheckedWithItsPlace) {
  const ChatInput input = parse_chat_input(
      R"({"messages": [{"role": "user", "z": 1, "a": 2}], "tools": null, "add_generation_prompt": true, "k": [1]})",
      "d");
  EXPECT_EQ(input.messages.dump(), R"([{"role":"user","z":1,"a":2}])");
  EXPECT_TRUE(input.tools.is_null());
  EXPECT_TRUE(input.add_generation_prompt);
  EXPECT_EQ(input.variables.dump(), R"({"k":[1]})");
  const std::pair<const char*, const char*> cases[] = {
      {"[1]", "d: (the whole document): expected an object, found [1]"},
      {"{", "d: not valid JSON"},
      {R"({"messages": {}})", "d: /messages: expected an array, found {}"},
      {R"({"messages": [{}, "x"]})", "d: /messages/1: expected an object, found \"x\""},
      {R"({"tools": 1})", "d: /tools: expected an array, found 1"},
      {R"({"add_generation_prompt": 1})", "d: /add_generation_prompt: expected true or false, found 1"},
      {R"({"a": 1, "a": 2})", "d: the key \"a\" stands twice in one object"}};
  for (const auto& [json, expected] : cases) {
    const std::string error = tests::error_of([&, text = json] { parse_chat_input(text, "d"); });
    EXPECT_TRUE(error.starts_with(expected)) << json << "\n" << error;
  }
}

TEST(ClockAt, ReadsDatesAndTimes) {
  EXPECT_EQ(clock_at("2025-07-10")().tm_wday, 4);
  EXPECT_EQ(clock_at("2025-07-10T12:34Z")().tm_min, 34);
  EXPECT_EQ(clock_at("2025-07-10T12:34:56")().tm_sec, 56);
  for (const char* wrong : {"", "2025", "2025-02-30", "2025-07-10T12:00+02:00", "2025-07-10 "})
    EXPECT_TRUE(tests::contains(tests::error_of([&] { clock_at(wrong); }), "expected a time such as")) << wrong;
}

}  // namespace
}  // namespace retort::task
