// Chat templates as Jinja2 3.1.6 and Transformers 5.24 render them.
#include "cases.h"
#include "task/chat_template.h"

namespace retort::cases {
namespace {

class TemplateCases : public CaseTest {};

TEST_F(TemplateCases, SafeBehindTojson) {
  RETORT_CASE("files/06-template-tojson-safe");
  const auto outcome = retort({"template", (folder / "min.jinja").string(), (folder / "data.json").string()});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, R"({"a": "<b>"})");
}

TEST_F(TemplateCases, NamedTemplatesAreExported) {
  RETORT_CASE("files/09-named-chat-templates-lost");
  const std::string source = (folder / "tmpl_jinja_extra").string(), data = (folder / "dt.json").string();
  ASSERT_EQ(retort({"template", source, data}).out, "T");
  ASSERT_EQ(retort({"export", source, path("out"), "--format", "hf"}).code, 0);
  EXPECT_EQ(retort({"template", path("out"), data}).out, "T");
  ASSERT_EQ(retort({"export", source, path("out.gguf"), "--format", "gguf"}).code, 0);
  ASSERT_EQ(retort({"import", path("out.gguf"), path("back")}).code, 0);
  EXPECT_EQ(retort({"template", path("back"), data}).out, "T");
}

TEST_F(TemplateCases, NamedTemplatesAreImported) {
  RETORT_CASE("files/09-named-chat-templates-lost");
  ASSERT_EQ(retort({"import", (folder / "chat_tmpl.gguf").string(), path("out")}).code, 0);
  const auto config = Json::parse(std::ifstream(path("out") + "/tokenizer_config.json"));
  ASSERT_TRUE(config.at("chat_template").is_array()) << config;
  std::vector<std::string> names;
  for (const Json& named : config["chat_template"]) names.push_back(named.at("name"));
  EXPECT_NE(std::find(names.begin(), names.end(), "tool_use"), names.end());
}

}  // namespace
}  // namespace retort::cases
