// Chat templates of published models and small cases of the language, against the text that huggingface.js's tests
// expect (@huggingface/jinja). Its spelling of values is JavaScript's; tests/golden has Jinja2's own answers.
#include <map>
#include <set>

#include "fixtures.h"
#include "host/base/files.h"
#include "task/chat_template.h"
#include "template/value_text.h"

namespace retort::task {
namespace {

using Json = nlohmann::ordered_json;
using jinja::Arguments;
using jinja::Session;
using jinja::Value;

/// Left out of chat_templates.json, and why.
const std::map<std::string, std::string> left_out_templates = {
    {"custom_formatting", "its one case is of a formatter, which prints a template, not a prompt"}};

Json read(const std::string& file) {
  return Json::parse(host::read_file(tests::shared_data("jinja-chat-template-vectors") / file));
}

jinja::RenderOptions options_at_noon() {
  jinja::RenderOptions options;
  options.clock = clock_at("2025-07-10T12:00Z");
  return options;
}

TEST(TemplateVectors, ChatTemplatesOfPublishedModels) {
  const auto folder = tests::shared_data("jinja-chat-template-vectors");
  RETORT_NEEDS(folder);
  int count = 0;
  const Json groups = read("chat_templates.json");
  for (const auto& [group, cases] : groups.items()) {
    if (left_out_templates.contains(group)) continue;
    for (const auto& [name, item] : cases.items()) {
      const auto parsed = jinja::Template::parse(item.at("chat_template").get<std::string>(), name);
      EXPECT_EQ(parsed.render(item.at("data"), options_at_noon()), item.at("target").get<std::string>()) << name;
      ++count;
    }
  }
  EXPECT_EQ(count, 42);
}

/// The same through ChatTemplate, which adds tools = none and documents = none as Transformers does.
TEST(TemplateVectors, ChatTemplatesWithTransformersVariables) {
  const auto folder = tests::shared_data("jinja-chat-template-vectors");
  RETORT_NEEDS(folder);
  const tests::TemporaryFolder temporary;
  const Json cases = read("chat_templates.json")["custom_templates"];
  for (const char* name :
       {"Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen3-0.6B", "meta-llama/Llama-3.1-8B-Instruct", "HuggingFaceTB/SmolLM3-3B",
        "NousResearch/Hermes-2-Pro-Llama-3-8B (JSON Schema)", "mistralai/Mistral-7B-Instruct-v0.3 (JSON Schema)"}) {
    const Json& item = cases.at(name);
    host::write_file_atomically(temporary / "chat_template.jinja", item.at("chat_template").get<std::string>());
    const auto chat_template = ChatTemplate::load(temporary.path());
    const ChatInput input = parse_chat_input(item.at("data").dump(), name);
    EXPECT_EQ(chat_template.render(input, options_at_noon()), item.at("target").get<std::string>()) << name;
  }
}

/// What stands for "__function__" in the contexts, as huggingface.js's tests define it.
std::vector<std::pair<std::string, Value>> functions_of(const std::string& name) {
  const auto joined = [](const std::string& separator) {
    return Value::function("join", [separator](Session&, const Arguments& arguments) {
      std::string text;
      for (const Value& value : arguments.positional) {
        if (!text.empty()) text += separator;
        text += *value.text_or_null();
      }
      return Value::text(text);
    });
  };
  jinja::RenderOptions options;
  if (name == "NUMBERS")
    return {{"add", Value::function("add", [](Session&, const Arguments& arguments) {
               return Value::integer(arguments.positional[0].as_integer() + arguments.positional[1].as_integer());
             })}};
  if (name == "FUNCTIONS")
    return {{"func", Value::function("func", [](Session&, const Arguments& arguments) {
               return Value::integer(static_cast<std::int64_t>(arguments.positional.size()));
             })}};
  if (name == "OBJ_METHODS") return {{"join_all", joined("")}, {"join_by_underscore", joined("_")}};
  return {};
}

TEST(TemplateVectors, CasesOfTheLanguage) {
  const auto folder = tests::shared_data("jinja-chat-template-vectors");
  RETORT_NEEDS(folder);
  int passed = 0;
  int total = 0;
  const Json cases = read("jinja_cases.json");
  for (Json item : cases) {
    const std::string name = item.at("name");
    jinja::RenderOptions options = options_at_noon();
    options.dialect = jinja::Dialect::javascript;
    options.functions = functions_of(name);
    std::string source = item.at("template");
    if (name == "OBJ_METHODS") {  // data cannot hold functions, so a preamble puts them where the context has them
      source = "{% set obj = {'x': join_all, 'z': {'A': join_by_underscore}} %}" + source;
    }
    for (const auto& function : options.functions) item["context"].erase(function.first);
    ++total;
    const std::string error = tests::error_of([&] {
      const std::string text = jinja::Template::parse(source, name).render(item.at("context"), options);
      const bool equal = text == item.at("expected").get<std::string>();
      EXPECT_TRUE(equal) << name << ": " << source << "\n  got      " << text << "\n  expected "
                         << item.at("expected").get<std::string>();
      passed += equal ? 1 : 0;
    });
    EXPECT_EQ(error, "") << name;
  }
  EXPECT_EQ(passed, total);
  EXPECT_EQ(total, 121);
}

}  // namespace
}  // namespace retort::task
