// retort template, and retort generate --chat, as users and scripts see them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <nlohmann/json.hpp>

#include "child_command.h"
#include "text/tokenizer.h"

namespace retort::apps {
namespace {

class TemplateCommandTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "retort-template-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    write(
        "model/tokenizer_config.json",
        R"({"chat_template": "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}{{ k }}",
              "bos_token": "<s>"})");
    write("data.json", R"({"messages": [{"role": "user", "content": "hi ü"}], "k": true})");
  }
  void TearDown() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  std::string write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  Outcome retort(const std::vector<std::string>& arguments) const { return ChildCommand(folder_, arguments).wait(); }

  std::filesystem::path folder_;
};

TEST_F(TemplateCommandTest, PrintsThePromptAndNothingElse) {
  for (const char* where : {"model", "model/tokenizer_config.json"}) {
    const Outcome outcome = retort({"template", path(where), path("data.json")});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, "<s>[user] hi ü\nTrue");
    EXPECT_EQ(outcome.err, "");
  }
  EXPECT_EQ(retort({"template", path("model"), path("data.json"), "--spelling", "javascript"}).out,
            "<s>[user] hi ü\ntrue");
  const std::string clock = write("clock.jinja", "{{ strftime_now('%d %B %Y %H:%M') }}\n");
  EXPECT_EQ(retort({"template", clock, path("data.json"), "--now", "2025-07-10T12:00Z"}).out, "10 July 2025 12:00");
}

TEST_F(TemplateCommandTest, WhatIsWrongIsExitCodeTwoWithItsPlace) {
  const std::string bad = write("bad.jinja", "a\n{% include 'b' %}");
  const std::string picky = write("picky.jinja", "{{ raise_exception('user first') }}");
  const std::string broken = write("broken.json", R"({"messages": [5]})");
  std::filesystem::create_directories(folder_ / "empty");
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{bad, path("data.json")}, "bad.jinja:2:4: the tag 'include' is not supported"},
      {{picky, path("data.json")}, "picky.jinja:1:4: the template refuses this input: user first"},
      {{path("model"), broken}, "broken.json: /messages/0: expected an object, found 5"},
      {{path("empty"), path("data.json")}, "expected a chat template (chat_template.jinja"},
      {{path("absent"), path("data.json")}, "absent': no such file or folder"},
      {{path("model"), path("data.json"), "--now", "noon"}, "expected a time such as"},
      {{path("model"), path("data.json"), "--spelling", "c"}, "--spelling: expected python or javascript"},
      {{path("model")}, "the option '--data' is required"}};
  for (const auto& [arguments, expected] : cases) {
    std::vector<std::string> all = arguments;
    all.insert(all.begin(), "template");
    const Outcome outcome = retort(all);
    EXPECT_EQ(outcome.code, 2) << expected << outcome.err;
    EXPECT_EQ(outcome.out, "") << expected;
    EXPECT_NE(outcome.err.find(expected), std::string::npos) << expected << "\n" << outcome.err;
  }
  EXPECT_EQ(retort({"template", path("model"), path("absent.json")}).code, 1);
}

TEST_F(TemplateCommandTest, GenerateWantsAPromptOrAChat) {
  std::filesystem::create_directories(folder_ / "empty");
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{"m"}, "expected either PROMPT or --chat TEXT, found neither"},
      {{"m", "prompt", "--chat", "x"}, "expected either PROMPT or --chat TEXT, found both"},
      {{"m", "prompt", "--system", "x"}, "--system: expected with --chat"},
      {{"m", "prompt", "--tools", "x"}, "--tools: expected with --chat"},
      {{path("empty"), "--chat", "x"}, "found none; add the one that the model was trained with, or write the prompt"}};
  for (const auto& [arguments, expected] : cases) {
    std::vector<std::string> all = arguments;
    all.insert(all.begin(), "generate");
    const Outcome outcome = retort(all);
    EXPECT_EQ(outcome.code, 2) << expected << outcome.err;
    EXPECT_NE(outcome.err.find(expected), std::string::npos) << expected << "\n" << outcome.err;
  }
}

/// A template that adds nothing makes --chat the same as PROMPT; one that adds the system text puts it first.
TEST_F(TemplateCommandTest, GenerateRendersTheChat) {
  const char* shared = std::getenv("RETORT_SHARED");
  const auto stories = std::filesystem::path(shared != nullptr ? shared : RETORT_SHARED_DEFAULT) / "data/stories260K";
  if (!std::filesystem::exists(stories)) GTEST_SKIP() << "no test data at " << stories << "; set RETORT_SHARED";
  const auto model = path("stories");
  const Outcome imported = retort({"import", (stories / "stories260K-f32.gguf").string(), model});
  ASSERT_EQ(imported.code, 0) << imported.err;
  write("stories/chat_template.jinja", "{% for m in messages %}{{ m.content }}{% endfor %}");
  const Outcome plain = retort({"generate", model, "Once upon a time", "-n", "8", "--greedy"});
  ASSERT_EQ(plain.code, 0) << plain.err;
  EXPECT_EQ(retort({"generate", model, "--chat", "Once upon a time", "-n", "8", "--greedy"}).out, plain.out);
  EXPECT_EQ(retort({"generate", model, "--system", "Once upon", "--chat", " a time", "-n", "8", "--greedy"}).out,
            plain.out);
}

/// With tools an answer is text or valid calls of them, limited as the package's retort.json says.
TEST_F(TemplateCommandTest, GenerateLimitsItsAnswerToTheTools) {
  const char* shared = std::getenv("RETORT_SHARED");
  const auto stories = std::filesystem::path(shared != nullptr ? shared : RETORT_SHARED_DEFAULT) / "data/stories260K";
  if (!std::filesystem::exists(stories)) GTEST_SKIP() << "no test data at " << stories << "; set RETORT_SHARED";
  const auto model = path("stories");
  ASSERT_EQ(retort({"import", (stories / "stories260K-f32.gguf").string(), model}).code, 0);
  const std::string source =
      "{% for t in tools or [] %}{{ t.function.name }} {% endfor %}{% for m in messages %}{% if m.tool_calls %}"
      "{% for c in m.tool_calls %}<tool_call>{\"name\": {{ c.function.name | tojson }}, \"arguments\": "
      "{{ c.function.arguments | tojson }}}</tool_call>{% endfor %}{% else %}{{ m.content }}{% endif %}"
      "{% if m.role == 'assistant' %}</s>{% else %}\n{% endif %}{% endfor %}";
  write("stories/chat_template.jinja", source);
  const auto tools = write("tools.json", R"([{"type": "function", "function": {"name": "find_person", "parameters":
    {"type": "object", "properties": {"who": {"type": "string"}, "mood": {"enum": ["glad", "sad"]}},
     "required": ["who", "mood"]}}}])");
  const text::Tokenizer tokenizer = text::Tokenizer::load(model);
  const auto bias = [&](const char* token, int by) {
    return std::to_string(tokenizer.find(token).value()) + "=" + std::to_string(by);
  };
  const std::vector<std::string> asked = {
      "generate",     model,           "--chat",       "Once upon a time Lily was glad",
      "--tools",      tools,           "--greedy",     "--json",
      "-n",           "120",           "--logit-bias", bias("<", 30),
      "--logit-bias", bias("</s>", 60)};
  const auto answer = [&] {
    const Outcome outcome = retort(asked);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return nlohmann::json::parse(outcome.out);
  };
  // The end token is the likeliest by far, so an answer that may be no call is none.
  EXPECT_EQ(answer().at("text"), "");
  const auto package = [&](const nlohmann::json& grammar) {
    const nlohmann::json task = {{"format", "chat_template"},
                                 {"tools", nlohmann::json::array()},
                                 {"template", {{"default", source}}},
                                 {"special_tokens", nlohmann::json::object()},
                                 {"variables", nlohmann::json::object()},
                                 {"today", "2025-01-01"},
                                 {"grammar", grammar}};
    write("stories/retort.json", nlohmann::json{{"task", task}}.dump());
  };
  package({{"no_call", false},
           {"values_from_utterance", true},
           {"enums", {{"find_person", {{"mood", {"happy"}}}}, {"another_tool", {{"x", {"y"}}}}}}});
  const auto limited = answer();
  EXPECT_TRUE(limited.at("ended")) << limited;
  std::string text = limited.at("text");
  const std::string open = "<tool_call>", close = "</tool_call>";
  text.erase(0, text.find_first_not_of(' '));  // white space around a call is free
  ASSERT_TRUE(text.starts_with(open) && text.ends_with(close)) << text;
  const auto call = nlohmann::json::parse(text.substr(open.size(), text.size() - open.size() - close.size()));
  EXPECT_EQ(call.at("name"), "find_person");
  EXPECT_EQ(call.at("arguments").at("mood"), "happy");
  std::string who = call.at("arguments").at("who");  // of the conversation, but for case
  std::transform(who.begin(), who.end(), who.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  EXPECT_NE(std::string("once upon a time lily was glad").find(who), std::string::npos) << text;
  EXPECT_FALSE(who.empty());

  package({{"no_calls", false}});
  const Outcome refused = retort(asked);
  EXPECT_EQ(refused.code, 2);
  EXPECT_NE(refused.err.find("/no_calls"), std::string::npos) << refused.err;
}

}  // namespace
}  // namespace retort::apps
