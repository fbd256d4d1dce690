// Templates against Jinja2 itself, set up by Transformers or as it does: chat_templates.json and gemma_templates.json,
// written by tests/interop/chat_templates.py and gemma_templates.py.
#include <algorithm>
#include <set>

#include "fixtures.h"
#include "host/base/files.h"
#include "task/chat_template.h"

namespace retort::task {
namespace {

using Json = nlohmann::ordered_json;

const Json& golden() {
  static const Json json = Json::parse(host::read_file(GOLDEN_CHAT_TEMPLATES));
  return json;
}

jinja::RenderOptions options_at_noon() {
  jinja::RenderOptions options;
  options.clock = clock_at("2025-07-10T12:00Z");
  return options;
}

/// The expected text, or an error on the expected line.
void check(const Json& item, const std::string& source, const Json& data, const std::string& name) {
  try {
    const std::string text = jinja::Template::parse(source, name).render(data, options_at_noon());
    ASSERT_TRUE(item.contains("text")) << name << "\n"
                                       << source << "\n  rendered " << text << "\n  expected " << item.at("error");
    EXPECT_EQ(text, item.at("text").get<std::string>()) << name << "\n" << source;
  } catch (const jinja::TemplateError& error) {
    ASSERT_TRUE(item.contains("line")) << name << "\n" << source << "\n" << error.what();
    EXPECT_EQ(error.place().line, item.at("line").get<int>()) << source << "\n" << error.what();
    EXPECT_GE(error.place().column, 1);
  }
}

/// Conversations of people, systems, images and tools, rightly and wrongly in turn, through templates that write as
/// Gemma 3 and FunctionGemma do.
TEST(ChatTemplateGolden, GemmasTurnsAndToolsAreThoseOfJinja2) {
  const Json file = Json::parse(host::read_file(GOLDEN_GEMMA_TEMPLATES));
  EXPECT_EQ(file.at("cases").size(), 17U);
  for (const Json& item : file.at("cases")) {
    const std::string name = item.at("template");
    check(item, file.at("templates").at(name), item.at("data"), name + ", " + item.at("title").get<std::string>());
  }
}

/// The sequence that ai.google.dev/gemma/docs/functiongemma/formatting-and-best-practices prints, turn by turn.
TEST(ChatTemplateGolden, FunctionGemmasPublishedSequence) {
  const Json file = Json::parse(host::read_file(GOLDEN_GEMMA_TEMPLATES));
  const auto found = std::find_if(file.at("cases").begin(), file.at("cases").end(),
                                  [](const Json& item) { return item.at("title") == "whole exchange"; });
  ASSERT_NE(found, file.at("cases").end());
  const std::string source = file.at("templates").at("function_gemma");
  const std::string text =
      jinja::Template::parse(source, "function_gemma").render(found->at("data"), options_at_noon());
  EXPECT_EQ(
      text,
      "<bos><start_of_turn>developer\nYou are a model that can do function calling with the following functions"
      "<start_function_declaration>declaration:get_current_weather{description:<escape>Gets the current weather in "
      "a given location.<escape>,parameters:{properties:{location:{description:<escape>The city and state, e.g. "
      "\"San Francisco, CA\" or \"Tokyo, JP\"<escape>,type:<escape>STRING<escape>},unit:{description:<escape>The "
      "unit to return the temperature in.<escape>,enum:[<escape>celsius<escape>,<escape>fahrenheit<escape>],"
      "type:<escape>STRING<escape>}},required:[<escape>location<escape>],type:<escape>OBJECT<escape>}}"
      "<end_function_declaration><end_of_turn>\n<start_of_turn>user\nHey, what's the weather in Tokyo right now?"
      "<end_of_turn>\n<start_of_turn>model\n<start_function_call>call:get_current_weather{location:<escape>Tokyo, "
      "Japan<escape>}<end_function_call><start_function_response>response:get_current_weather{temperature:15,"
      "weather:<escape>sunny<escape>}<end_function_response>The current weather in Tokyo is sunny with a "
      "temperature of 15 degrees Celsius.<end_of_turn>\n");
}

TEST(ChatTemplateGolden, LanguageIsThatOfJinja2) {
  const Json& cases = golden().at("language");
  EXPECT_GE(cases.size(), 140U);
  for (const Json& item : cases) check(item, item.at("template"), golden().at("data"), "template");
}

TEST(ChatTemplateGolden, PromptsOfPublishedModelsAreThoseOfTransformers) {
  const auto vectors = tests::shared_data("jinja-chat-template-vectors");
  RETORT_NEEDS(vectors);
  const Json file = Json::parse(host::read_file(vectors / "chat_templates.json"));
  const Json& cases = golden().at("models");
  EXPECT_EQ(cases.size(), 144U);
  for (const Json& item : cases) {
    const std::string model = item.at("model");
    const std::string conversation = item.at("conversation");
    const std::string source = file.at("custom_templates").at(model).at("chat_template");
    Json data = {{"tools", nullptr},
                 {"documents", nullptr},
                 {"add_generation_prompt", false},
                 {"bos_token", "<s>"},
                 {"eos_token", "</s>"}};
    data.update(golden().at("conversations").at(conversation));
    check(item, source, data, model + ", " + conversation);
  }
}

}  // namespace
}  // namespace retort::task
