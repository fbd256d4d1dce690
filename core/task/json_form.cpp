// "json": one compact JSON call a line.
#include <algorithm>
#include <stdexcept>
#include <utility>

#include "host/base/json_cursor.h"
#include "task/token_form.h"

namespace retort::task {
namespace {

using Json = nlohmann::json;

std::string json_lines(const std::vector<Call>& calls) {
  std::string text;
  for (const Call& call : calls)
    text += (text.empty() ? "" : "\n") + compact_json({{"name", call.name}, {"arguments", call.arguments}});
  return text;
}

class JsonForm final : public TokenForm {
 public:
  explicit JsonForm(ResponseStyle style) : TokenForm(std::move(style)) {}

  std::string_view name() const override { return "json"; }

  ParsedResponse parse(const text::Tokenizer& tokenizer, const std::vector<text::TokenId>& body) const override {
    for (const text::TokenId id : body)
      if (tokenizer.is_special(id))
        return Malformed{"special token " + std::string(tokenizer.token(id)) + " in a call"};
    const std::string text = tokenizer.decode(body);
    Json list = Json::array();
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      const std::string line = text.substr(begin, end - begin);
      begin = end + 1;
      try {
        list.push_back(host::parse_strict_json(line));
      } catch (const std::invalid_argument& error) {
        return Malformed{"\"" + line + "\": " + error.what()};
      }
      if (list.back().is_object() && list.back().size() != 2)
        return Malformed{"\"" + line + "\": expected the keys name and arguments"};
    }
    try {
      return calls_from_json(list, "response");
    } catch (const std::invalid_argument& error) {
      return Malformed{error.what()};
    }
  }

  CallEnvelope envelope(const text::Tokenizer& tokenizer, const std::vector<Tool>& tools) const override {
    CallEnvelope envelope;
    envelope.ends = {end_token(tokenizer)};
    envelope.between_calls = {{"\n"}};
    for (const Tool& known : tools) {
      ToolEnvelope& tool = envelope.tools.emplace_back();
      tool.name = known.name;
      tool.parameters = known.parameters;
      tool.before = {{"{\"arguments\":"}};  // json_lines() writes keys in alphabetical order
      tool.after = {{",\"name\":" + compact_json(known.name) + "}"}};
    }
    return envelope;
  }

 private:
  void append_calls(const text::Tokenizer& tokenizer, std::string_view, const std::vector<Call>& calls,
                    std::vector<text::TokenId>& ids) const override {
    const auto tokens = tokenizer.encode(json_lines(calls));
    ids.insert(ids.end(), tokens.begin(), tokens.end());
  }
  void append_none(const text::Tokenizer&, std::vector<text::TokenId>&) const override {}
  std::string calls_text(const std::vector<Call>& calls) const override {
    return calls.empty() ? "" : "\n" + json_lines(calls);
  }
};

}  // namespace

std::shared_ptr<const PromptForm> json_form(const ResponseStyle& style) {
  return std::make_shared<JsonForm>(style);
}

}  // namespace retort::task
