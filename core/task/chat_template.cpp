// See chat_template.h.
#include "task/chat_template.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <stdexcept>

#include "host/base/files.h"
#include "host/base/json.h"
#include "host/base/json_cursor.h"
#include "model/file_kind.h"

namespace retort::task {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;
using host::JsonCursor;

constexpr int greatest_depth = 90;  // of data; values refuse more than 100
constexpr std::array<const char*, 7> token_names = {"bos_token", "eos_token", "unk_token", "sep_token",
                                                    "pad_token", "cls_token", "mask_token"};

/// A special token is its text, or an object with its text as "content".
std::string token_text(const JsonCursor& token) {
  return token.json().is_object() ? token.at("content").string() : token.string();
}

OrderedJson parse_ordered(std::string_view json, const std::string& origin) {
  try {
    host::parse_strict_json(json, greatest_depth);
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(origin + ": " + error.what());
  }
  return OrderedJson::parse(json);
}

void check_messages(const Json& messages, const std::string& origin) {
  const JsonCursor cursor = JsonCursor(messages, origin, "/messages").array();
  for (std::size_t i = 0; i < cursor.size(); ++i) cursor.at(i).object();
}

}  // namespace

ChatInput parse_chat_input(std::string_view json, const std::string& origin) {
  ChatInput input;
  OrderedJson data = parse_ordered(json, origin);
  if (!data.is_object()) JsonCursor(Json(data), origin).object();
  for (auto& [key, value] : data.items()) {
    if (key == "messages") {
      if (!value.is_null()) check_messages(Json(value), origin);
      input.messages = std::move(value);
    } else if (key == "tools") {
      if (!value.is_null()) JsonCursor(Json(value), origin, "/tools").array();
      input.tools = std::move(value);
    } else if (key == "add_generation_prompt") {
      input.add_generation_prompt = JsonCursor(Json(value), origin, "/add_generation_prompt").boolean();
    } else {
      input.variables[key] = std::move(value);
    }
  }
  return input;
}

void ChatTemplate::add(const std::string& name, std::string_view source, const std::string& origin) {
  templates_.insert_or_assign(name, jinja::Template::parse(source, origin));
  sources_.insert_or_assign(name, std::string(source));
}

void ChatTemplate::read_templates(const Json& config, const std::string& origin) {
  const JsonCursor root = JsonCursor(config, origin).object();
  if (!root.has("chat_template")) return;
  const JsonCursor source = root.at("chat_template");
  if (!source.json().is_array()) {
    add("default", source.string(), origin + ": chat_template");
    return;
  }
  for (std::size_t i = 0; i < source.size(); ++i) {
    const std::string name = source.at(i).at("name").string();
    add(name, source.at(i).at("template").string(), origin + ": chat_template \"" + name + "\"");
  }
}

/// Those that are known from another file stay.
void ChatTemplate::read_special_tokens(const Json& config, const std::string& origin) {
  const JsonCursor root = JsonCursor(config, origin).object();
  for (const char* name : token_names)
    if (root.has(name) && !special_tokens_.contains(name)) special_tokens_[name] = token_text(root.at(name));
  if (!root.has("additional_special_tokens") || special_tokens_.contains("additional_special_tokens")) return;
  const JsonCursor more = root.at("additional_special_tokens").array();
  OrderedJson texts = OrderedJson::array();
  for (std::size_t i = 0; i < more.size(); ++i) texts.push_back(token_text(more.at(i)));
  special_tokens_["additional_special_tokens"] = std::move(texts);
}

void ChatTemplate::read_folder(const fs::path& folder) {
  const fs::path config = folder / "tokenizer_config.json";
  const bool has_file = fs::exists(folder / "chat_template.jinja");
  if (fs::exists(config)) {
    const Json json = host::read_json(config);
    read_special_tokens(json, config.string());
    if (!has_file) read_templates(json, config.string());
  }
  if (const fs::path map = folder / "special_tokens_map.json"; fs::exists(map))
    read_special_tokens(host::read_json(map), map.string());
  if (!has_file) return;
  const auto add_file = [&](const std::string& name, const fs::path& file) {
    add(name, host::read_file(file), file.string());
  };
  add_file("default", folder / "chat_template.jinja");
  if (!fs::is_directory(folder / "additional_chat_templates")) return;
  for (const auto& entry : fs::directory_iterator(folder / "additional_chat_templates"))
    if (entry.path().extension() == ".jinja") add_file(entry.path().stem().string(), entry.path());
}

ChatTemplate ChatTemplate::load(const fs::path& path) {
  ChatTemplate result;
  result.origin_ = path.string();
  if (fs::is_directory(path)) {
    result.read_folder(path);
  } else if (path.extension() == ".json") {
    const Json json = host::read_json(path);
    result.read_special_tokens(json, path.string());
    result.read_templates(json, path.string());
  } else if (const auto kind = model::kind_of_file(path)) {
    throw std::invalid_argument("'" + path.string() + "': expected a model folder or a template, found " + *kind);
  } else {
    result.add("default", host::read_file(path), path.string());
  }
  if (result.templates_.empty())
    throw std::invalid_argument("'" + path.string() +
                                "': expected a chat template (chat_template.jinja, or chat_template in "
                                "tokenizer_config.json), found none; add the one that the model was trained with, or "
                                "write the prompt out");
  return result;
}

ChatTemplate ChatTemplate::from_json(const Json& json, const std::string& origin) {
  const JsonCursor root = JsonCursor(json, origin).object();
  ChatTemplate result;
  result.origin_ = origin;
  const JsonCursor sources = root.at("template").object();
  for (const auto& item : sources.json().items())
    result.add(item.key(), sources.at(item.key()).string(), origin + " /template/" + item.key());
  if (result.templates_.empty()) sources.refuse("a template");
  result.read_special_tokens(root.at("special_tokens").object().json(), origin);
  return result;
}

Json ChatTemplate::to_json() const {
  return {{"template", sources_}, {"special_tokens", Json(special_tokens_)}};
}

std::string ChatTemplate::render(const ChatInput& input, const jinja::RenderOptions& options) const {
  auto found = templates_.end();
  if (!input.tools.is_null()) found = templates_.find("tool_use");
  if (found == templates_.end()) found = templates_.find("default");
  if (found == templates_.end()) {
    std::string names;
    for (const auto& [name, source] : templates_) names += (names.empty() ? "" : ", ") + name;
    throw std::invalid_argument("'" + origin_ + "': expected a template named 'default', found " + names);
  }
  OrderedJson variables = special_tokens_;
  variables["tools"] = input.tools;
  variables["documents"] = nullptr;
  variables["add_generation_prompt"] = input.add_generation_prompt;
  if (!input.messages.is_null()) variables["messages"] = input.messages;
  for (const auto& [key, value] : input.variables.items()) variables[key] = value;
  return found->second.render(variables, options);
}

jinja::Clock clock_at(const std::string& time) {
  std::tm moment{};
  std::string text = time;
  if (text.ends_with('Z')) text.pop_back();
  for (const char* format : {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"}) {
    moment = {};
    const char* end = ::strptime(text.c_str(), format, &moment);
    if (end == nullptr || *end != '\0') continue;
    const std::tm wanted = moment;
    ::timegm(&moment);  // fills in the weekday; moves 30 February to March
    if (moment.tm_mday != wanted.tm_mday || moment.tm_hour != wanted.tm_hour) break;
    return [moment] { return moment; };
  }
  throw std::invalid_argument("expected a time such as 2025-07-10T12:00Z, found '" + time + "'");
}

}  // namespace retort::task
