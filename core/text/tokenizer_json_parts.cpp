// See tokenizer_json_parts.h.
#include "text/tokenizer_json_parts.h"

namespace retort::text {

using Json = nlohmann::json;

Json added_token_json(TokenId id, const std::string& content, Added kind) {
  return {{"id", id},
          {"content", content},
          {"single_word", false},
          {"lstrip", false},
          {"rstrip", false},
          {"normalized", false},
          {"special", kind == Added::special}};
}

bool is_version_line(const Json& merge) {
  return merge.is_string() && merge.get_ref<const std::string&>().starts_with("#version");
}

Json begin_template_json(std::optional<TokenId> begin, const std::string& content) {
  if (!begin) return nullptr;
  const Json first = {{"SpecialToken", {{"id", content}, {"type_id", 0}}}};
  const auto sequence = [](const char* name, int type) {
    return Json{{"Sequence", {{"id", name}, {"type_id", type}}}};
  };
  Json second = first;
  second["SpecialToken"]["type_id"] = 1;
  return {{"type", "TemplateProcessing"},
          {"single", Json::array({first, sequence("A", 0)})},
          {"pair", Json::array({first, sequence("A", 0), second, sequence("B", 1)})},
          {"special_tokens",
           {{content, {{"id", content}, {"ids", Json::array({*begin})}, {"tokens", Json::array({content})}}}}}};
}

}  // namespace retort::text
