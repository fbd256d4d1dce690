// "functional_tokens": calls as special tokens and plain values, written and read.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <utility>

#include "host/base/json_cursor.h"
#include "task/spoken_list.h"
#include "task/spoken_order.h"
#include "task/token_form.h"

namespace retort::task {
namespace {

using Json = nlohmann::json;

constexpr char spoken_order_name[] = "spoken";
constexpr char alphabetical_order_name[] = "alphabetical";
constexpr char none_token_text[] = "<|none|>";
constexpr char next_token_text[] = "<|next|>";
constexpr std::string_view call_prefix = "<|call:";
constexpr std::string_view token_suffix = "|>";

std::string call_token(const std::string& tool) {
  return std::string(call_prefix) + tool + "|>";
}

std::string argument_token(const std::string& name, bool context) {
  static const std::set<std::string> reserved = {"pad", "user", "assistant", "end", "none", "next"};
  const bool role = context && (name == "system" || name == "tool");
  const bool clashes = role || reserved.contains(name) || name.starts_with("call:") || name.starts_with("arg:");
  return (clashes ? "<|arg:" : "<|") + name + "|>";
}

/// The schema of a tool's argument, or nullptr.
const Json* argument_schema(const Tool& tool, const std::string& argument) {
  const auto properties = tool.parameters.find("properties");
  if (properties == tool.parameters.end()) return nullptr;
  const auto found = properties->find(argument);
  return found == properties->end() ? nullptr : &*found;
}

/// Whether only strings are valid: such a value needs no quotes to be told from a number or a list.
bool allows_only_strings(const Json& schema) {
  if (!schema.is_object()) return false;
  if (const auto type = schema.find("type"); type != schema.end())
    return *type == "string" || *type == Json::array({"string"});
  const auto values = schema.find("enum");
  return values != schema.end() && values->is_array() && !values->empty() &&
         std::all_of(values->begin(), values->end(), [](const Json& value) { return value.is_string(); });
}

bool is_list_of_strings(const Json& schema) {
  return schema.is_object() && schema.value("type", Json()) == "array" && schema.contains("items") &&
         allows_only_strings(schema["items"]);
}

const std::string& string_of(const Call& call, const std::string& argument, const Json& value) {
  if (!value.is_string())
    throw std::invalid_argument("argument \"" + argument + "\" of " + call.name + ": expected a string, found " +
                                host::excerpt(value));
  return value.get_ref<const std::string&>();
}

/// What follows the argument's token and each <|next|> after it: texts with their leading space.
std::vector<std::string> value_texts(const Call& call, const std::string& argument, const Json& value,
                                     const Json& schema, const std::string& conjunction) {
  if (is_list_of_strings(schema) && value.is_array()) {
    std::vector<std::string> items;
    for (const Json& item : value) items.push_back(string_of(call, argument, item));
    if (const auto spoken = join_spoken_list(items, conjunction)) return {" " + *spoken};
    std::vector<std::string> texts = {""};
    for (const std::string& item : items) texts.push_back(" " + item);
    return texts;
  }
  return {" " + (allows_only_strings(schema) ? string_of(call, argument, value) : compact_json(value))};
}

const Json& required_schema(const Tool& tool, const std::string& argument) {
  const Json* schema = argument_schema(tool, argument);
  if (schema == nullptr)
    throw std::invalid_argument("tool " + tool.name + " has no argument \"" + argument +
                                "\" in its schema's properties");
  return *schema;
}

/// Reads functional tokens from left to right. Each step returns why the response is malformed, or nothing.
class FunctionalReader {
 public:
  using Arguments = std::map<std::string, std::string, std::less<>>;

  FunctionalReader(const text::Tokenizer& tokenizer, const std::vector<Tool>& tools, const Arguments& argument_of_token,
                   const std::string& conjunction)
      : tokenizer_(tokenizer), tools_(tools), argument_of_token_(argument_of_token), conjunction_(conjunction) {}

  std::optional<std::string> read(const std::vector<text::TokenId>& body) {
    for (std::size_t i = 0; i < body.size();) {
      if (!tokenizer_.is_special(body[i])) return "text where a call or an argument must begin";
      const std::string_view token = tokenizer_.token(body[i]);
      std::vector<text::TokenId> text;
      for (++i; i < body.size() && !tokenizer_.is_special(body[i]); ++i) text.push_back(body[i]);
      const auto argument = argument_of_token_.find(token);
      auto reason = token == next_token_text               ? read_next_item(text)
                    : argument != argument_of_token_.end() ? read_argument(argument->second, text)
                                                           : read_call(token, text);
      if (reason) return reason;
    }
    return std::nullopt;
  }
  std::vector<Call> take() { return std::move(calls_); }

 private:
  std::optional<std::string> read_call(std::string_view token, const std::vector<text::TokenId>& text) {
    if (!token.starts_with(call_prefix) || !token.ends_with(token_suffix))
      return "unexpected special token " + std::string(token);
    token.remove_prefix(call_prefix.size());
    token.remove_suffix(token_suffix.size());
    tool_ = nullptr;
    for (const Tool& known : tools_)
      if (known.name == token) tool_ = &known;
    if (tool_ == nullptr) return "unknown tool \"" + std::string(token) + "\"";
    if (!text.empty()) return "text between <|call:" + tool_->name + "|> and its first argument";
    calls_.push_back({tool_->name, Json::object()});
    list_ = nullptr;
    return std::nullopt;
  }

  std::optional<std::string> read_next_item(const std::vector<text::TokenId>& ids) {
    if (list_ == nullptr) return std::string(next_token_text) + " outside of a list that stands item by item";
    list_->push_back(string_of(ids));
    return std::nullopt;
  }

  /// A string or an item, less its leading space.
  std::string string_of(const std::vector<text::TokenId>& ids) const {
    std::string text = tokenizer_.decode(ids);
    if (text.starts_with(' ')) text.erase(0, 1);
    return text;
  }

  std::optional<std::string> read_argument(const std::string& name, const std::vector<text::TokenId>& ids) {
    if (tool_ == nullptr) return "argument \"" + name + "\" before any call";
    const std::string place = "argument \"" + name + "\" of " + tool_->name;
    const Json* schema = argument_schema(*tool_, name);
    if (schema == nullptr) return "unknown " + place;
    Json& arguments = calls_.back().arguments;
    if (arguments.contains(name)) return place + " stands twice";
    const std::string text = string_of(ids);
    list_ = nullptr;
    if (is_list_of_strings(*schema)) {
      Json& list = arguments[name] = Json::array();
      if (ids.empty())
        list_ = &list;
      else if (conjunction_.empty())
        return place + ": a list that does not stand item by item";
      else
        list = split_spoken_list(text, conjunction_);
      return std::nullopt;
    }
    if (allows_only_strings(*schema)) {
      arguments[name] = text;
      return std::nullopt;
    }
    try {
      arguments[name] = host::parse_strict_json(text);
    } catch (const std::invalid_argument& error) {
      return place + ": " + error.what() + ", found \"" + text + "\"";
    }
    return std::nullopt;
  }

  const text::Tokenizer& tokenizer_;
  const std::vector<Tool>& tools_;
  const Arguments& argument_of_token_;
  const Tool* tool_ = nullptr;  ///< of the last call
  const std::string& conjunction_;
  Json* list_ = nullptr;  ///< the last argument in calls_, where it is a list that stands item by item
  std::vector<Call> calls_;
};

class FunctionalForm final : public TokenForm {
 public:
  FunctionalForm(const std::vector<Tool>& tools, ResponseStyle style) : TokenForm(std::move(style)), tools_(tools) {
    if (style_.argument_order != spoken_order_name && style_.argument_order != alphabetical_order_name)
      throw std::invalid_argument("argument order: expected \"spoken\" or \"alphabetical\", found \"" +
                                  style_.argument_order + "\"");
    for (const Tool& known : tools_) {
      const auto properties = known.parameters.find("properties");
      if (properties == known.parameters.end()) continue;
      for (const auto& item : properties->items())
        argument_of_token_[argument_token(item.key(), style_.context)] = item.key();
    }
  }

  std::string_view name() const override { return "functional_tokens"; }

  std::vector<std::string> special_tokens() const override {
    std::vector<std::string> tokens = TokenForm::special_tokens();
    tokens.emplace_back(none_token_text);
    tokens.emplace_back(next_token_text);
    for (const Tool& known : tools_) tokens.push_back(call_token(known.name));
    for (const auto& [token, argument] : argument_of_token_) tokens.push_back(token);
    return tokens;
  }

  ParsedResponse parse(const text::Tokenizer& tokenizer, const std::vector<text::TokenId>& body) const override {
    if (body.empty()) return Malformed{"neither a call nor <|none|>"};
    if (body.front() == tokenizer.find(none_token_text)) {
      if (body.size() > 1) return Malformed{"something stands between <|none|> and <|end|>"};
      return std::vector<Call>{};
    }
    FunctionalReader reader(tokenizer, tools_, argument_of_token_, style_.conjunction);
    if (auto reason = reader.read(body)) return Malformed{*reason};
    return reader.take();
  }

  CallEnvelope envelope(const text::Tokenizer& tokenizer, const std::vector<Tool>&) const override {
    CallEnvelope envelope;
    envelope.ends = {end_token(tokenizer)};
    envelope.any_argument_order = style_.argument_order == spoken_order_name;
    envelope.conjunction = style_.conjunction;
    envelope.no_call = {{"", special_id(tokenizer, none_token_text)}};
    envelope.next_item = special_id(tokenizer, next_token_text);
    for (const Tool& known : tools_) envelope.tools.push_back(tool_envelope(tokenizer, known));
    return envelope;
  }

 private:
  const Tool& tool(std::string_view name) const {
    for (const Tool& known : tools_)
      if (known.name == name) return known;
    throw std::invalid_argument("unknown tool \"" + std::string(name) + "\"");
  }

  ToolEnvelope tool_envelope(const text::Tokenizer& tokenizer, const Tool& known) const {
    ToolEnvelope tool;
    tool.name = known.name;
    tool.parameters = known.parameters;
    tool.by_token = true;
    tool.before = {{"", special_id(tokenizer, call_token(known.name))}};
    const auto properties = known.parameters.find("properties");
    if (properties == known.parameters.end()) return tool;
    for (const auto& item : properties->items())
      tool.arguments.push_back({item.key(), special_id(tokenizer, argument_token(item.key(), style_.context)),
                                is_list_of_strings(item.value())    ? ValueForm::string_list
                                : allows_only_strings(item.value()) ? ValueForm::raw_string
                                                                    : ValueForm::json});
    return tool;
  }

  void append_calls(const text::Tokenizer& tokenizer, std::string_view said, const std::vector<Call>& calls,
                    std::vector<text::TokenId>& ids) const override {
    for (const Call& call : calls) append_call(tokenizer, said, call, ids);
  }

  void append_none(const text::Tokenizer& tokenizer, std::vector<text::TokenId>& ids) const override {
    ids.push_back(special_id(tokenizer, none_token_text));
  }

  std::string calls_text(const std::vector<Call>& calls) const override {
    std::string text;
    for (const Call& call : calls) {
      const Tool& known = tool(call.name);
      for (const auto& item : call.arguments.items())
        for (const std::string& value :
             value_texts(call, item.key(), item.value(), required_schema(known, item.key()), style_.conjunction))
          if (!value.empty()) text += "\n" + value;
    }
    return text;
  }

  void append_call(const text::Tokenizer& tokenizer, std::string_view said, const Call& call,
                   std::vector<text::TokenId>& ids) const;

  std::vector<Tool> tools_;
  FunctionalReader::Arguments argument_of_token_;  ///< "<|room|>" → "room"
};

void FunctionalForm::append_call(const text::Tokenizer& tokenizer, std::string_view said, const Call& call,
                                 std::vector<text::TokenId>& ids) const {
  const Tool& known = tool(call.name);
  if (!call.arguments.is_object())
    throw std::invalid_argument("arguments of " + call.name + ": expected an object, found " +
                                host::excerpt(call.arguments));
  ids.push_back(special_id(tokenizer, call_token(call.name)));
  std::map<std::string, std::vector<std::string>> texts;  // by argument, and so in alphabetical order
  std::vector<SpokenArgument> arguments;
  for (const auto& item : call.arguments.items()) {
    const Json& schema = required_schema(known, item.key());
    auto& values = texts[item.key()] = value_texts(call, item.key(), item.value(), schema, style_.conjunction);
    const std::string& first = values.front().empty() && values.size() > 1 ? values[1] : values.front();
    arguments.push_back({item.key(), first.empty() ? first : first.substr(1)});
  }
  for (const std::string& argument :
       spoken_order(style_.argument_order == spoken_order_name ? said : std::string_view(), arguments)) {
    std::string before = argument_token(argument, style_.context);
    for (const std::string& text : texts[argument]) {
      ids.push_back(special_id(tokenizer, before));
      const auto value = tokenizer.encode(text);
      ids.insert(ids.end(), value.begin(), value.end());
      before = next_token_text;
    }
  }
}

}  // namespace

std::shared_ptr<const PromptForm> functional_form(const std::vector<Tool>& tools, const ResponseStyle& style) {
  return std::make_shared<FunctionalForm>(tools, style);
}

}  // namespace retort::task
