// Messages as templates want them, and the piece of a rendered text that an answer is.
#include "task/template_form.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "host/base/json_cursor.h"
#include "task/call_markup.h"
#include "task/template_envelope.h"

namespace retort::task {
namespace {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

constexpr char probe_name[] = "retort_probe";
constexpr char probe_text[] = "Retort probe text";

/// As Qwen 2.5's template writes tools and calls, for templates that have no place for them.
constexpr char tools_source[] =
    "# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are provided with function "
    "signatures within <tools></tools> XML tags:\n<tools>{% for tool in tools %}\n{{ tool | tojson }}{% endfor %}\n"
    "</tools>\n\nFor each function call, return a json object with function name and arguments within "
    "<tool_call></tool_call> XML tags:\n<tool_call>\n{\"name\": <function-name>, \"arguments\": <args-json-object>}\n"
    "</tool_call>";
constexpr char call_source[] =
    "<tool_call>\n{\"name\": {{ name | tojson }}, \"arguments\": {{ arguments | tojson }}}\n</tool_call>";

OrderedJson ordered_tools(const std::vector<Tool>& tools) {
  OrderedJson list = OrderedJson::array();
  for (const Tool& tool : tools) {
    OrderedJson function = {{"name", tool.name}, {"description", tool.description}};
    function["parameters"] = OrderedJson(tool.parameters);
    list.push_back({{"type", "function"}, {"function", std::move(function)}});
  }
  return list;
}

OrderedJson ordered_message(const Message& message) {
  const Role role = message.role == Role::developer ? Role::system : message.role;  // what templates know
  OrderedJson json = {{"role", name_of(role)}, {"content", message.content}};
  if (!message.name.empty()) json["name"] = message.name;
  if (!message.tool_call_id.empty()) json["tool_call_id"] = message.tool_call_id;
  for (const IdentifiedCall& call : message.tool_calls) {
    const std::string id = call.id.empty() ? "call_" + std::to_string(json["tool_calls"].size()) : call.id;
    OrderedJson function = {{"name", call.call.name}};
    function["arguments"] = OrderedJson(call.call.arguments);
    json["tool_calls"].push_back({{"id", id}, {"type", "function"}, {"function", std::move(function)}});
  }
  return json;
}

class TemplateForm final : public PromptForm {
 public:
  TemplateForm(ChatTemplate chat_template, TemplateOptions options)
      : chat_(std::move(chat_template)),
        options_(std::move(options)),
        tools_source_(jinja::Template::parse(tools_source, "the tools' text")),
        call_source_(jinja::Template::parse(call_source, "a call's text")) {
    render_options_.clock = clock_at(options_.today);
    own_tools_ = shows_tools();
    shows_system_ = shows({{.role = Role::system, .content = probe_text}, {.role = Role::user, .content = "?"}});
    end_text_ = find_end_text();
  }

  std::string_view name() const override { return "chat_template"; }
  std::vector<std::string> special_tokens() const override { return {}; }
  bool takes_any_tools() const override { return true; }

  std::string training_text(const Conversation& conversation, const Message* answer) const override {
    std::vector<Message> messages = conversation.messages;
    if (answer != nullptr) messages.push_back(*answer);
    return render(messages, conversation.tools ? *conversation.tools : std::vector<Tool>(), answer == nullptr);
  }

  std::vector<text::TokenId> prompt(const text::Tokenizer& tokenizer, const Conversation& conversation,
                                    const std::vector<Tool>& tools) const override {
    expect_question(conversation.messages);
    return tokenizer.encode(render(conversation.messages, tools, true), text::Tokenizer::Special::parse);
  }

  std::vector<text::TokenId> response(const text::Tokenizer& tokenizer, const Conversation& conversation,
                                      const std::vector<Tool>& tools, const Message& answer) const override {
    const std::string before = render(conversation.messages, tools, true);
    std::vector<Message> messages = conversation.messages;
    messages.push_back(answer);
    const std::string whole = render(messages, tools, false);
    if (!whole.starts_with(before))
      throw std::invalid_argument(
          "the chat template writes what stands before this answer in another way once the answer is there (" +
          first_difference(before, whole) + "): its answers cannot be told from its prompts; use another template");
    return cut_at_end(tokenizer, tokens_behind(tokenizer, before, whole));
  }

  std::optional<text::TokenId> prompt_end_token(const text::Tokenizer&) const override { return std::nullopt; }
  text::TokenId end_token(const text::Tokenizer& tokenizer) const override {
    const auto ids = tokenizer.encode(end_text_, text::Tokenizer::Special::parse);
    if (ids.empty() || !tokenizer.is_added(ids.front()))
      throw std::invalid_argument("the chat template ends an answer with \"" + end_text_ +
                                  "\": expected a special token of the tokenizer");
    return ids.front();
  }

  ParsedResponse parse(const text::Tokenizer& tokenizer, const std::vector<text::TokenId>& body) const override {
    std::string text = tokenizer.decode(body, true);
    if (const std::size_t thought = text.find("</think>"); thought != std::string::npos) text.erase(0, thought + 8);
    try {
      if (auto marked = calls_in_text(text)) return std::move(marked->calls);
    } catch (const std::invalid_argument& error) {
      return Malformed{error.what()};
    }
    return std::vector<Call>{};
  }

  CallEnvelope envelope(const text::Tokenizer& tokenizer, const std::vector<Tool>& tools) const override {
    return template_envelope(tokenizer, tools, end_token(tokenizer),
                             [&](const std::vector<Call>& calls) { return answer_text(tools, calls); });
  }

  std::vector<std::string> losses(const Conversation& conversation, const Message* answer) const override {
    std::vector<std::string> lost;
    for (const Message& message : conversation.messages) {
      const bool system = message.role == Role::system || message.role == Role::developer;
      if (system && !shows_system_) lost.emplace_back("a system text, which the chat template does not show");
      if (!message.name.empty() && message.role != Role::tool) lost.emplace_back("the name of who speaks");
    }
    if (answer != nullptr && !answer->name.empty()) lost.emplace_back("the name of who speaks");
    return lost;
  }

  Json to_json() const override {
    Json json = chat_.to_json();
    json["variables"] = Json(options_.variables);
    json["today"] = options_.today;
    return json;
  }

 private:
  std::string render(const std::vector<Message>& messages, const std::vector<Tool>& tools, bool asks) const {
    ChatInput input;
    input.messages = OrderedJson::array();
    const bool in_messages = !own_tools_;
    for (const Message& message : messages)
      input.messages.push_back(ordered_message(in_messages ? without_calls(message) : message));
    if (!tools.empty()) {
      if (in_messages)
        add_tools(tools, input.messages);
      else
        input.tools = ordered_tools(tools);
    }
    input.add_generation_prompt = asks;
    input.variables = options_.variables;
    return chat_.render(input, render_options_);
  }

  /// Calls and results as text.
  Message without_calls(Message message) const {
    for (const IdentifiedCall& call : message.tool_calls) {
      const OrderedJson values = {{"name", call.call.name}, {"arguments", OrderedJson(call.call.arguments)}};
      message.content += (message.content.empty() ? "" : "\n") + call_source_.render(values);
    }
    message.tool_calls.clear();
    if (message.role == Role::tool) {
      message.role = Role::user;
      message.content = "<tool_response>\n" + message.content + "\n</tool_response>";
      message.tool_call_id.clear();
      message.name.clear();
    }
    return message;
  }

  void add_tools(const std::vector<Tool>& tools, OrderedJson& messages) const {
    const std::string text = tools_source_.render({{"tools", ordered_tools(tools)}});
    const bool has_system = !messages.empty() && messages.front().at("role") == "system";
    if (has_system)
      messages.front()["content"] = messages.front().at("content").get<std::string>() + "\n\n" + text;
    else
      messages.insert(messages.begin(), OrderedJson::object({{"role", "system"}, {"content", text}}));
  }

  bool shows(const std::vector<Message>& messages) const {
    try {
      return render(messages, {}, true).find(probe_text) != std::string::npos;
    } catch (const std::exception&) {
      return false;  // it refuses such messages, and will say so of those that come
    }
  }

  /// Whether the template writes tools, calls and results itself.
  bool shows_tools() {
    own_tools_ = true;
    const Tool tool{probe_name, "", Json{{"type", "object"}, {"properties", Json::object()}}};
    const Message user{.role = Role::user, .content = "?"};
    Message call{.role = Role::assistant};
    call.tool_calls.push_back({"callprobe", {"other_probe", Json::object()}});
    const Message result{.role = Role::tool, .content = probe_text, .tool_call_id = "callprobe", .name = "other_probe"};
    try {
      return render({user}, {tool}, true).find(probe_name) != std::string::npos &&
             render({user, call}, {tool}, false).find("other_probe") != std::string::npos &&
             render({user, call, result}, {tool}, true).find(probe_text) != std::string::npos;
    } catch (const std::exception&) {
      return false;
    }
  }

  std::string find_end_text() const {
    const Message user{.role = Role::user, .content = "?"};
    const std::string whole = render({user, {.role = Role::assistant, .content = probe_text}}, {}, false);
    const std::size_t at = whole.rfind(probe_text);
    if (at == std::string::npos)
      throw std::invalid_argument("the chat template does not write an assistant's text: it cannot be learnt");
    std::string end = whole.substr(at + sizeof(probe_text) - 1);
    end.erase(0, std::min(end.find_first_not_of(" \n\t"), end.size()));
    if (end.empty())
      throw std::invalid_argument("the chat template writes no end behind an answer: expected an end token");
    return end;
  }

  static std::string first_difference(const std::string& before, const std::string& whole) {
    const auto place = std::mismatch(before.begin(), before.end(), whole.begin(), whole.end());
    const auto at = static_cast<std::size_t>(place.first - before.begin());
    return host::excerpt(Json(before.substr(at, 40))) + " becomes " +
           host::excerpt(Json(whole.substr(std::min(at, whole.size()), 40)));
  }

  /// The tokens of `whole` behind those of `before`.
  static std::vector<text::TokenId> tokens_behind(const text::Tokenizer& tokenizer, const std::string& before,
                                                  const std::string& whole) {
    const auto first = tokenizer.encode(before, text::Tokenizer::Special::parse);
    const auto all = tokenizer.encode(whole, text::Tokenizer::Special::parse);
    if (all.size() >= first.size() && std::equal(first.begin(), first.end(), all.begin()))
      return {all.begin() + static_cast<std::ptrdiff_t>(first.size()), all.end()};
    return tokenizer.encode(whole.substr(before.size()), text::Tokenizer::Special::parse);
  }

  /// Less what the template writes behind the end of the turn.
  std::vector<text::TokenId> cut_at_end(const text::Tokenizer& tokenizer, std::vector<text::TokenId> ids) const {
    const auto end = std::find(ids.begin(), ids.end(), end_token(tokenizer));
    if (end == ids.end())
      throw std::invalid_argument("the chat template does not end this answer with \"" + end_text_ + "\"");
    const std::string rest = tokenizer.decode({end + 1, ids.end()}, true);
    if (rest.find_first_not_of(" \n\t") != std::string::npos)
      throw std::invalid_argument("the answer goes on behind the end of its turn, found " + host::excerpt(Json(rest)));
    ids.erase(end + 1, ids.end());
    return ids;
  }

  /// What the template writes as an answer of these calls, up to the end of the turn; nothing where it refuses them.
  std::optional<std::string> answer_text(const std::vector<Tool>& tools, const std::vector<Call>& calls) const {
    const Message user{.role = Role::user, .content = "?"};
    Message answer{.role = Role::assistant};
    for (const Call& call : calls) answer.tool_calls.push_back({"", call});
    try {
      const std::string before = render({user}, tools, true), whole = render({user, answer}, tools, false);
      if (!whole.starts_with(before)) return std::nullopt;
      return whole.substr(before.size(), whole.rfind(end_text_) - before.size());
    } catch (const std::exception&) {
      return std::nullopt;
    }
  }

  ChatTemplate chat_;
  TemplateOptions options_;
  jinja::RenderOptions render_options_;
  jinja::Template tools_source_, call_source_;
  bool own_tools_ = true;  ///< false: tools stand in messages
  bool shows_system_ = true;
  std::string end_text_;  ///< begins with the end token
};

}  // namespace

std::shared_ptr<const PromptForm> template_form(const ChatTemplate& chat_template, const TemplateOptions& options) {
  return std::make_shared<TemplateForm>(ChatTemplate::from_json(chat_template.to_json(), "the chat template"), options);
}

std::shared_ptr<const PromptForm> template_form(const Json& task, const std::string& origin) {
  const host::JsonCursor root(task, origin);
  TemplateOptions options;
  options.variables = OrderedJson(root.at("variables").object().json());
  options.today = root.at("today").string();
  return std::make_shared<TemplateForm>(ChatTemplate::from_json(task, origin), std::move(options));
}

}  // namespace retort::task
