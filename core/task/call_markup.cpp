// Each family's notation is one function: nothing (not its mark), calls, or an exception.
#include "task/call_markup.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <stdexcept>
#include <utility>

#include "host/base/json_cursor.h"

namespace retort::task {
namespace {

using Json = nlohmann::json;
using std::string_view;

constexpr string_view white_space = " \t\r\n";

string_view trimmed(string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(white_space), text.size());
  text.remove_prefix(begin);
  text.remove_suffix(text.size() - std::min(text.find_last_not_of(white_space) + 1, text.size()));
  return text;
}

std::string quoted(string_view text) {
  return host::excerpt(Json(std::string(text)));
}

[[noreturn]] void refuse(const std::string& family, const std::string& expected, string_view found) {
  throw std::invalid_argument(family + ": expected " + expected + ", found " + quoted(found));
}

Json parsed(const std::string& family, string_view text) {
  try {
    return host::parse_strict_json(text);
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(family + ": " + error.what() + ", found " + quoted(text));
  }
}

/// {"name", "arguments"} or {"name", "parameters"}; arguments as an object or as its text.
Call call_of(const std::string& family, const Json& json) {
  const bool named = json.is_object() && json.contains("name") && json["name"].is_string();
  if (!named) refuse(family, "an object with a \"name\"", json.dump(-1, ' ', false, Json::error_handler_t::replace));
  const char* key = json.contains("arguments") ? "arguments" : "parameters";
  Json arguments = json.contains(key) ? json[key] : Json::object();
  if (arguments.is_string()) arguments = parsed(family, arguments.get<std::string>());
  if (arguments.is_null()) arguments = Json::object();
  if (!arguments.is_object())
    refuse(family, std::string("an object as \"") + key + "\"",
           arguments.dump(-1, ' ', false, Json::error_handler_t::replace));
  return {json["name"].get<std::string>(), std::move(arguments)};
}

void add_calls(const std::string& family, const Json& json, std::vector<Call>& calls) {
  if (!json.is_array()) {
    calls.push_back(call_of(family, json));
    return;
  }
  for (const Json& call : json) calls.push_back(call_of(family, call));
}

/// The first JSON value of `text`, which is taken off its front. It ends where its brackets close.
string_view take_value(const std::string& family, string_view& text) {
  text = trimmed(text);
  if (text.empty() || (text.front() != '{' && text.front() != '[')) refuse(family, "JSON", text);
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      const string_view value = text.substr(0, i + 1);
      text.remove_prefix(i + 1);
      return value;
    }
  }
  refuse(family, "JSON that ends", text);
}

/// Text with `begin` … `end` around each call.
std::optional<MarkedCalls> between(const std::string& family, string_view text, string_view begin, string_view end) {
  if (text.find(begin) == string_view::npos) return std::nullopt;
  MarkedCalls found{family, {}, {}};
  std::string rest;
  for (std::size_t at = text.find(begin); at != string_view::npos; at = text.find(begin)) {
    rest += text.substr(0, at);
    text.remove_prefix(at + begin.size());
    string_view inside = trimmed(text);
    if (inside.starts_with("<function="))
      throw std::invalid_argument("calls as XML (<function=…><parameter=…>): expected JSON, whose values have types");
    add_calls(family, parsed(family, take_value(family, inside)), found.calls);
    text = trimmed(inside);
    if (text.starts_with(end))
      text.remove_prefix(end.size());
    else if (!text.empty() && !text.starts_with(begin))
      refuse(family, std::string(end) + " behind the call", text);
  }
  rest += text;
  found.text = trimmed(rest);
  return found;
}

std::optional<MarkedCalls> mistral(string_view text) {
  constexpr string_view mark = "[TOOL_CALLS]", arguments = "[ARGS]", id = "[CALL_ID]";
  const std::size_t at = text.find(mark);
  if (at == string_view::npos) return std::nullopt;
  const std::string family = "Mistral [TOOL_CALLS]";
  MarkedCalls found{family, std::string(trimmed(text.substr(0, at))), {}};
  string_view rest = trimmed(text.substr(at + mark.size()));
  if (rest.starts_with('[')) {
    add_calls(family, parsed(family, take_value(family, rest)), found.calls);
  } else {
    do {
      if (rest.starts_with(mark)) rest = trimmed(rest.substr(mark.size()));
      const std::size_t split = std::min(rest.find(arguments), rest.find('{'));
      if (split == string_view::npos) refuse(family, "name[ARGS]{…}", rest);
      const string_view name = trimmed(rest.substr(0, std::min(rest.find(id), split)));
      rest.remove_prefix(split);
      if (rest.starts_with(arguments)) rest.remove_prefix(arguments.size());
      found.calls.push_back(call_of(family, {{"name", name}, {"arguments", parsed(family, take_value(family, rest))}}));
      rest = trimmed(rest);
    } while (rest.starts_with(mark));
  }
  rest = trimmed(rest);
  if (rest.starts_with("</s>")) rest = trimmed(rest.substr(4));
  if (!rest.empty()) refuse(family, "nothing behind the calls", rest);
  return found;
}

string_view without_llama_marks(string_view text) {
  text = trimmed(text);
  for (const string_view mark : {string_view("<|eom_id|>"), string_view("<|eot_id|>")})
    if (text.ends_with(mark)) text = trimmed(text.substr(0, text.size() - mark.size()));
  return text;
}

/// {"name", "parameters"} parted by ";".
std::optional<MarkedCalls> llama(string_view text) {
  constexpr string_view tag = "<|python_tag|>";
  const std::string family = "Llama 3 JSON";
  const std::size_t at = text.find(tag);
  MarkedCalls found{family, {}, {}};
  string_view rest = without_llama_marks(text);
  if (at != string_view::npos) {
    found.text = trimmed(text.substr(0, at));
    rest = without_llama_marks(text.substr(at + tag.size()));
    if (!rest.starts_with('{'))
      refuse(family, "{\"name\", \"parameters\"}; code for its interpreter is not read", rest);
  } else if (!rest.starts_with('{') || rest.find("\"name\"") == string_view::npos ||
             rest.find("\"parameters\"") == string_view::npos) {
    return std::nullopt;
  }
  try {
    while (!rest.empty()) {
      const Json json = parsed(family, take_value(family, rest));
      if (!json.contains("parameters")) refuse(family, "the key \"parameters\"", json.dump());
      found.calls.push_back(call_of(family, json));
      rest = trimmed(rest);
      if (rest.empty()) break;
      if (!rest.starts_with(';')) refuse(family, "\";\" between calls", rest);
      rest = trimmed(rest.substr(1));
    }
  } catch (const std::invalid_argument&) {
    if (at != string_view::npos) throw;
    return std::nullopt;  // without the mark it is a text that looks alike
  }
  return found;
}

std::optional<MarkedCalls> llama_functions(string_view text) {
  constexpr string_view mark = "<function=", end = "</function>";
  const std::string family = "Llama 3.1 <function=>";
  if (text.find(mark) == string_view::npos) return std::nullopt;
  MarkedCalls found{family, {}, {}};
  std::string rest;
  for (std::size_t at = text.find(mark); at != string_view::npos; at = text.find(mark)) {
    rest += text.substr(0, at);
    text.remove_prefix(at + mark.size());
    const std::size_t close = text.find('>');
    if (close == string_view::npos) refuse(family, "<function=name>", text);
    const std::string name(trimmed(text.substr(0, close)));
    text.remove_prefix(close + 1);
    found.calls.push_back(call_of(family, {{"name", name}, {"arguments", parsed(family, take_value(family, text))}}));
    text = trimmed(text);
    if (text.starts_with(end)) text.remove_prefix(end.size());
  }
  rest += without_llama_marks(text);
  found.text = trimmed(rest);
  return found;
}

std::optional<MarkedCalls> deepseek(string_view text) {
  constexpr string_view begin = "<｜tool▁call▁begin｜>", sep = "<｜tool▁sep｜>", end = "<｜tool▁call▁end｜>";
  constexpr string_view all = "<｜tool▁calls▁begin｜>";
  const std::string family = "DeepSeek tool calls";
  if (text.find(begin) == string_view::npos) return std::nullopt;
  MarkedCalls found{family, {}, {}};
  found.text = trimmed(text.substr(0, std::min(text.find(all), text.find(begin))));
  for (std::size_t at = text.find(begin); at != string_view::npos; at = text.find(begin)) {
    text.remove_prefix(at + begin.size());
    const std::size_t split = text.find(sep), stop = text.find(end);
    if (split == string_view::npos || stop == string_view::npos || stop < split)
      refuse(family, "a type, " + std::string(sep) + ", a name and arguments", text);
    string_view body = text.substr(split + sep.size(), stop - split - sep.size());
    const std::size_t brace = body.find('{');
    if (brace == string_view::npos) refuse(family, "arguments as JSON", body);
    string_view name = trimmed(body.substr(0, std::min(body.find('\n'), brace)));
    body.remove_prefix(brace);
    found.calls.push_back(call_of(family, {{"name", name}, {"arguments", parsed(family, take_value(family, body))}}));
    text.remove_prefix(stop + end.size());
  }
  return found;
}

/// Whether `json` is a call and nothing else.
bool is_bare_call(const Json& json) {
  return json.is_object() && json.size() == 2 && json.contains("name") && json["name"].is_string() &&
         json.contains("arguments") && (json["arguments"].is_object() || json["arguments"].is_string());
}

std::optional<MarkedCalls> bare_json(string_view text) {
  text = trimmed(text);
  if (!text.starts_with('{') && !text.starts_with('[')) return std::nullopt;
  Json json;
  try {
    json = host::parse_strict_json(text);
  } catch (const std::invalid_argument&) {
    return std::nullopt;
  }
  const bool list = json.is_array() && !json.empty() && std::all_of(json.begin(), json.end(), is_bare_call);
  if (!list && !is_bare_call(json)) return std::nullopt;
  MarkedCalls found{"JSON calls as text", {}, {}};
  add_calls(found.family, json, found.calls);
  return found;
}

/// [get_weather(city='Oslo')], as Llama 3.2 and 4 may write.
bool looks_like_python(string_view text) {
  text = trimmed(text);
  if (!text.starts_with('[') || !text.ends_with(")]")) return false;
  std::size_t i = 1;
  while (i < text.size() && (std::isalnum(static_cast<unsigned char>(text[i])) != 0 || text[i] == '_')) ++i;
  return i > 1 && i < text.size() && text[i] == '(';
}

}  // namespace

std::optional<MarkedCalls> calls_in_text(string_view text) {
  if (looks_like_python(text))
    throw std::invalid_argument("calls as Python ([name(argument=…)]): expected JSON, found " + quoted(text));
  if (auto found = between("Hermes <tool_call>", text, "<tool_call>", "</tool_call>")) return found;
  if (auto found = between("Phi <|tool_call|>", text, "<|tool_call|>", "<|/tool_call|>")) return found;
  if (auto found = mistral(text)) return found;
  if (auto found = deepseek(text)) return found;
  if (auto found = llama_functions(text)) return found;
  if (auto found = llama(text)) return found;
  return bare_json(text);
}

}  // namespace retort::task
