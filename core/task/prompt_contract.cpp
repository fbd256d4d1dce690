// The contract chooses its form and checks calls against tools; writing and reading is the form's.
#include "task/prompt_contract.h"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <utility>

#include "host/base/json_cursor.h"
#include "task/template_form.h"

namespace retort::task {

using Json = nlohmann::json;

namespace {

constexpr char functional_format[] = "functional_tokens";
constexpr char json_format[] = "json";
constexpr char template_format[] = "chat_template";
constexpr std::int64_t most_readings = 8;

std::shared_ptr<const PromptForm> form_of(const std::string& format, const std::vector<Tool>& tools,
                                          const ResponseStyle& style) {
  if (style.argument_order != "spoken" && style.argument_order != "alphabetical")
    throw std::invalid_argument("argument order: expected \"spoken\" or \"alphabetical\", found \"" +
                                style.argument_order + "\"");
  if (format == functional_format) return functional_form(tools, style);
  if (format == json_format) return json_form(style);
  throw std::invalid_argument("prompt format: expected \"functional_tokens\" or \"json\", found \"" + format + "\"");
}

void expect_each_once(const std::vector<Tool>& tools) {
  std::set<std::string> names;
  for (const Tool& known : tools)
    if (!names.insert(known.name).second)
      throw std::invalid_argument("tools: expected each tool once, found \"" + known.name + "\" twice");
}

Message answer_with(const std::vector<Call>& calls) {
  Message answer{.role = Role::assistant};
  for (const Call& call : calls) answer.tool_calls.push_back({"", call});
  return answer;
}

}  // namespace

PromptContract::PromptContract(std::string format, std::vector<Tool> tools, ResponseStyle style)
    : format_(std::move(format)), tools_(std::move(tools)), form_(form_of(format_, tools_, style)) {
  expect_each_once(tools_);
}

PromptContract::PromptContract(std::shared_ptr<const PromptForm> form, std::vector<Tool> tools)
    : format_(form->name()), tools_(std::move(tools)), form_(std::move(form)) {
  expect_each_once(tools_);
}

PromptContract PromptContract::with(NormalisationOptions normalisation) const {
  PromptContract result = *this;
  result.normalisation_ = std::move(normalisation);
  return result;
}

PromptContract PromptContract::with_grammar(Json options) const {
  PromptContract result = *this;
  result.grammar_ = std::move(options);
  return result;
}

PromptContract PromptContract::with_tag_weight(double weight) const {
  if (!(weight >= 0) || (weight > 0 && format_ != functional_format))
    throw std::invalid_argument("tag_weight: expected a number of at least 0, and 0 where calls are written as \"" +
                                format_ + "\" (only " + functional_format + " has tokens for arguments), found " +
                                Json(weight).dump());
  PromptContract result = *this;
  result.tag_weight_ = weight;
  return result;
}

/// The answer as it is learnt.
Message PromptContract::shown(const Conversation& conversation, Message answer) const {
  if (normalisation_.off()) return answer;
  const std::vector<Call> calls = normalised(calls_of(answer), tools_of(conversation), normalisation_);
  for (std::size_t i = 0; i < calls.size(); ++i) answer.tool_calls[i].call = calls[i];
  return answer;
}

Conversation PromptContract::seen(const Conversation& conversation) const {
  return normalisation_.off() ? conversation : normalised(conversation, normalisation_);
}

const std::vector<Tool>& PromptContract::tools_of(const Conversation& conversation) const {
  return conversation.tools && form_->takes_any_tools() ? *conversation.tools : tools_;
}

std::string PromptContract::training_text(const Conversation& conversation, const Message& answer) const {
  const Message learnt = shown(conversation, answer);
  return form_->training_text(normalisation_.off() ? conversation : normalised(conversation, normalisation_), &learnt);
}

std::string PromptContract::training_text(std::string_view utterance, const std::vector<Call>& calls) const {
  return training_text(conversation_of(std::string(utterance)), answer_with(calls));
}

std::vector<text::TokenId> PromptContract::prompt(const text::Tokenizer& tokenizer,
                                                  const Conversation& conversation) const {
  const std::vector<Tool>& tools = tools_of(conversation);
  if (normalisation_.off()) return form_->prompt(tokenizer, conversation, tools);
  return form_->prompt(tokenizer, normalised(conversation, normalisation_), tools);
}

std::vector<text::TokenId> PromptContract::prompt(const text::Tokenizer& tokenizer, std::string_view utterance) const {
  return prompt(tokenizer, conversation_of(std::string(utterance)));
}

std::vector<text::TokenId> PromptContract::response(const text::Tokenizer& tokenizer, const Conversation& conversation,
                                                    const Message& answer) const {
  const std::vector<Tool>& tools = tools_of(conversation);
  if (normalisation_.off()) return form_->response(tokenizer, conversation, tools, answer);
  return form_->response(tokenizer, normalised(conversation, normalisation_), tools, shown(conversation, answer));
}

std::vector<text::TokenId> PromptContract::response(const text::Tokenizer& tokenizer, std::string_view utterance,
                                                    const std::vector<Call>& calls) const {
  return response(tokenizer, conversation_of(std::string(utterance)), answer_with(calls));
}

ParsedResponse PromptContract::parse(const text::Tokenizer& tokenizer,
                                     const std::vector<text::TokenId>& response) const {
  return parse_with(tokenizer, response, tools_, nullptr);
}

ParsedResponse PromptContract::parse(const text::Tokenizer& tokenizer, const std::vector<text::TokenId>& response,
                                     const Conversation& conversation) const {
  return parse_with(tokenizer, response, tools_of(conversation), &conversation);
}

ParsedResponse PromptContract::parse(const text::Tokenizer& tokenizer, const std::vector<text::TokenId>& response,
                                     const Conversation& conversation, const std::vector<Tool>& tools) const {
  return parse_with(tokenizer, response, tools, &conversation);
}

ParsedResponse PromptContract::parse_with(const text::Tokenizer& tokenizer, const std::vector<text::TokenId>& response,
                                          const std::vector<Tool>& tools, const Conversation* asked) const {
  const text::TokenId last = end_token(tokenizer);
  const auto end = std::find(response.begin(), response.end(), last);
  const std::string name(tokenizer.token(last));
  if (end == response.end()) return Malformed{"the response does not end with " + name + " (cut short)"};
  if (end + 1 != response.end()) return Malformed{"the response goes on after " + name};
  ParsedResponse parsed = form_->parse(tokenizer, {response.begin(), end});
  auto* calls = std::get_if<std::vector<Call>>(&parsed);
  if (calls != nullptr && asked != nullptr && !normalisation_.off())
    *calls = restored(std::move(*calls), tools, *asked, normalisation_);
  if (calls != nullptr)
    for (const Call& call : *calls)
      if (auto reason = invalid_reason(call, tools)) return Malformed{*reason};
  return parsed;
}

std::vector<std::string> PromptContract::losses(const Conversation& conversation, const Message* answer) const {
  std::vector<std::string> lost = form_->losses(conversation, answer);
  if (conversation.tools && !form_->takes_any_tools() && *conversation.tools != tools_)
    lost.emplace_back("a row's own tools, which this form does not show");
  return lost;
}

Json PromptContract::to_json() const {
  Json json = form_->to_json();
  json["format"] = format_;
  json["tools"] = tools_to_json(tools_);
  if (!normalisation_.off()) json["normalisation"] = task::to_json(normalisation_);
  if (!grammar_.empty()) json["grammar"] = grammar_;
  if (tag_weight_ > 0) json["tag_weight"] = tag_weight_;
  return json;
}

PromptContract PromptContract::from_json(const Json& json, const std::string& origin) {
  const host::JsonCursor root(json, origin);
  const std::string format = root.object().at("format").string();
  std::vector<Tool> tools = tools_from_json(root.at("tools").json(), origin + " /tools");
  NormalisationOptions normalisation;
  if (root.has("normalisation"))
    normalisation = normalisation_from_json(root.at("normalisation").json(), origin + " /normalisation");
  const Json grammar = root.has("grammar") ? root.at("grammar").object().json() : Json::object();
  if (format == template_format)
    return PromptContract(template_form(json, origin), std::move(tools))
        .with(std::move(normalisation))
        .with_grammar(grammar);
  ResponseStyle style{root.at("conjunction").string(), root.at("argument_order").string()};
  if (root.has("context")) style.context = root.at("context").boolean();
  if (root.has("readings")) style.readings = root.at("readings").integer(1, most_readings);
  const double tag_weight = root.has("tag_weight") ? root.at("tag_weight").number() : 0;
  return PromptContract(format, std::move(tools), style)
      .with(std::move(normalisation))
      .with_grammar(grammar)
      .with_tag_weight(tag_weight);
}

}  // namespace retort::task
