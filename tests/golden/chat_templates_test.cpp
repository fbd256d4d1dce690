// Templates against Jinja2 itself, set up by Transformers: chat_templates.json, written by
// tests/interop/chat_templates.py.
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
