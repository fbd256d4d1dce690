// Reads messages from first to last; calls that wait for their results are what one message leaves to the next.
#include "task/chat_row.h"

#include <algorithm>
#include <optional>
#include <set>
#include <stdexcept>
#include <unordered_map>
#include <utility>

#include "host/base/json_cursor.h"
#include "task/call_markup.h"

namespace retort::task {
namespace {

using host::JsonCursor;
using Json = nlohmann::json;

std::string dumped(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<Role> role_of(std::string_view name) {
  for (const Role role : {Role::system, Role::developer, Role::user, Role::assistant, Role::tool})
    if (name == name_of(role)) return role;
  return std::nullopt;
}

class MessageReader {
 public:
  MessageReader(const JsonCursor& messages, ReadingNotes& notes) : messages_(messages.array()), notes_(notes) {
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      const JsonCursor message = messages_.at(i).object();
      has_calls_ = has_calls_ || message.has("tool_calls") || message.has("function_call");
    }
  }

  std::vector<Message> read() {
    for (std::size_t i = 0; i < messages_.size(); ++i) read_message(messages_.at(i));
    return std::move(read_);
  }

 private:
  struct OpenCall {
    std::string id, name;
    bool answered = false;
  };

  void read_message(const JsonCursor& json) {
    std::string name = json.at("role").string();
    if (name == "function") {
      ++notes_.conversions["role \"function\" read as \"tool\""];
      name = "tool";
    }
    const std::optional<Role> role = role_of(name);
    if (!role) json.at("role").refuse("\"system\", \"developer\", \"user\", \"assistant\" or \"tool\"");
    Message message;
    message.role = *role;
    if (json.has("name")) message.name = json.at("name").string();
    message.content = content_of(json, *role);
    if (*role == Role::assistant) read_assistant(json, message);
    if (*role == Role::tool)
      read_result(json, message);
    else
      open_.clear();
    for (const IdentifiedCall& call : message.tool_calls) open_.push_back({call.id, call.call.name});
    count_unread_keys(json, *role);
    read_.push_back(std::move(message));
  }

  std::string content_of(const JsonCursor& json, Role role) {
    const bool may_be_absent = role == Role::assistant || role == Role::tool;
    if (may_be_absent && !json.has("content")) return "";
    const JsonCursor content = json.at("content");
    if (content.json().is_string()) return content.string();
    if (role == Role::tool && (content.json().is_object() || content.json().is_array()) && !is_parts(content.json())) {
      ++notes_.conversions["tool results given as JSON read as text"];
      return dumped(content.json());
    }
    if (!content.json().is_array()) content.refuse("a string, or an array of parts of type \"text\"");
    std::string text;
    for (std::size_t i = 0; i < content.size(); ++i) {
      const JsonCursor part = content.at(i).object();
      if (part.at("type").string() != "text")
        part.at("type").refuse("\"text\": images, sound and files cannot be read");
      text += (i > 0 ? "\n" : "") + part.at("text").string();
    }
    ++notes_.conversions["content in parts joined"];
    return text;
  }

  static bool is_parts(const Json& content) {
    return content.is_array() && !content.empty() && std::all_of(content.begin(), content.end(), [](const Json& part) {
             return part.is_object() && part.contains("type");
           });
  }

  void read_assistant(const JsonCursor& json, Message& message) {
    if (json.has("function_call") && json.has("tool_calls"))
      json.at("function_call").refuse("one of \"tool_calls\" and the older \"function_call\"", "both");
    if (json.has("weight")) message.learnt = json.at("weight").number() != 0;
    if (json.has("refusal")) {
      if (message.content.empty()) message.content = json.at("refusal").string();
      ++notes_.conversions["refusal read as text"];
    }
    if (json.has("function_call")) {
      ++notes_.conversions["legacy function_call"];
      add_call(json.at("function_call").object(), "", message);
    } else if (json.has("tool_calls")) {
      const JsonCursor list = json.at("tool_calls").array();
      for (std::size_t i = 0; i < list.size(); ++i) read_tool_call(list.at(i).object(), message);
    }
    read_marked_calls(json, message);
  }

  void read_tool_call(const JsonCursor& json, Message& message) {
    if (json.has("type") && json.at("type").string() != "function") json.at("type").refuse("\"function\"");
    const std::string id = json.has("id") ? json.at("id").string() : "";
    if (!json.has("function") && json.has("name")) {
      ++notes_.conversions["tool calls without \"function\""];
      add_call(json, id, message);
    } else {
      add_call(json.at("function").object(), id, message);
    }
  }

  void add_call(const JsonCursor& function, std::string id, Message& message) {
    Call call{function.at("name").string(), arguments_of(function.at("arguments"))};
    if (id.empty()) id = next_id();
    ++calls_;
    for (const IdentifiedCall& other : message.tool_calls)
      if (other.id == id) function.refuse("each call's id once in a message", "\"" + id + "\" twice");
    message.tool_calls.push_back({std::move(id), std::move(call)});
  }

  std::string next_id() const { return "call_" + std::to_string(calls_); }

  Json arguments_of(const JsonCursor& arguments) {
    if (arguments.json().is_object()) return arguments.json();
    if (!arguments.json().is_string()) arguments.refuse("an object, or its JSON text (a string)");
    if (arguments.string().empty()) {
      ++notes_.conversions["empty arguments read as {}"];
      return Json::object();
    }
    Json json;
    try {
      json = host::parse_strict_json(arguments.string());
    } catch (const std::invalid_argument& error) {
      arguments.refuse("an object as JSON text", host::excerpt(arguments.json()) + " (" + error.what() + ")");
    }
    if (!json.is_object()) arguments.refuse("an object as JSON text");
    return json;
  }

  void read_marked_calls(const JsonCursor& json, Message& message) {
    if (message.content.empty()) return;
    std::optional<MarkedCalls> marked;
    try {
      marked = calls_in_text(message.content);
    } catch (const std::invalid_argument& error) {
      if (has_calls_) {
        ++notes_.losses["marks of calls in content stay text beside tool_calls"];
        return;
      }
      json.at("content").refuse("calls that can be read, or \"tool_calls\"", error.what());
    }
    if (!marked) return;
    if (has_calls_) {
      ++notes_.losses["marks of calls in content stay text beside tool_calls"];
      return;
    }
    ++notes_.conversions["calls written in content: " + marked->family];
    message.content = marked->text;
    for (Call& call : marked->calls) {
      message.tool_calls.push_back({next_id(), std::move(call)});
      ++calls_;
    }
  }

  void read_result(const JsonCursor& json, Message& message) {
    const std::string id = json.has("tool_call_id") ? json.at("tool_call_id").string() : "";
    const auto answers = [&](const OpenCall& call) {
      return !call.answered && (id.empty() ? message.name.empty() || message.name == call.name : call.id == id);
    };
    const auto found = std::find_if(open_.begin(), open_.end(), answers);
    if (found == open_.end()) refuse_result(json, id, message.name);
    if (id.empty()) ++notes_.conversions["tool results without tool_call_id given to the first open call"];
    found->answered = true;
    message.tool_call_id = found->id;
  }

  [[noreturn]] void refuse_result(const JsonCursor& json, const std::string& id, const std::string& name) const {
    std::string waiting;
    for (const OpenCall& call : open_)
      if (!call.answered) waiting += (waiting.empty() ? "" : ", ") + ("\"" + call.id + "\" (" + call.name + ")");
    if (waiting.empty()) json.refuse("a call before a tool's result", "none that waits for one");
    if (!id.empty()) json.at("tool_call_id").refuse("the id of a call that waits: " + waiting);
    json.at("name").refuse("the name of a call that waits: " + waiting, "\"" + name + "\"");
  }

  void count_unread_keys(const JsonCursor& json, Role role) {
    for (const auto& item : json.json().items()) {
      const std::string& key = item.key();
      if (item.value().is_null() || key == "role" || key == "content" || key == "name") continue;
      if (role == Role::tool && key == "tool_call_id") continue;
      if (role == Role::assistant &&
          (key == "tool_calls" || key == "function_call" || key == "refusal" || key == "weight"))
        continue;
      if (item.value().is_array() && item.value().empty()) continue;
      ++notes_.losses["message key \"" + key + "\" of " + std::string(name_of(role))];
    }
  }

  JsonCursor messages_;
  ReadingNotes& notes_;
  bool has_calls_ = false;
  std::size_t calls_ = 0;  ///< of the conversation so far
  std::vector<OpenCall> open_;
  std::vector<Message> read_;
};

void check_user(const JsonCursor& messages, const std::vector<Message>& read) {
  const auto last =
      std::find_if(read.rbegin(), read.rend(), [](const Message& message) { return message.role == Role::user; });
  if (last == read.rend()) messages.refuse("a message with the role \"user\"");
  if (last->content.find_first_not_of(" \t\r\n") == std::string::npos)
    messages.refuse("a user message that is not blank");
}

/// {"type": "function", "function": …} around every tool that has none.
Json wrapped(const Json& tools, const std::string& key, ReadingNotes& notes) {
  Json list = Json::array();
  bool changed = false;
  for (const Json& tool : tools) {
    const bool bare = tool.is_object() && !tool.contains("function") && tool.contains("name");
    list.push_back(bare ? Json{{"type", "function"}, {"function", tool}} : tool);
    changed = changed || bare;
  }
  if (changed) ++notes.conversions[key + " without their wrapping"];
  return list;
}

Json kept_metadata(const JsonCursor& row, ReadingNotes& notes) {
  Json metadata = Json::object();
  if (row.has("metadata")) metadata = row.at("metadata").object().json();
  for (const auto& item : row.json().items()) {
    const std::string& key = item.key();
    if (item.value().is_null() || key == "messages" || key == "tools" || key == "functions" || key == "metadata")
      continue;
    if (metadata.contains(key)) {
      ++notes.losses["row key \"" + key + "\", which metadata has as well"];
      continue;
    }
    metadata[key] = item.value();
    ++notes.conversions["row key \"" + key + "\" kept as metadata"];
  }
  return metadata;
}

}  // namespace

std::vector<Message> messages_from_json(const Json& messages, const std::string& origin, const std::string& pointer,
                                        ReadingNotes& notes) {
  return MessageReader(JsonCursor(messages, origin, pointer), notes).read();
}

ToolSet tool_set_from_json(const Json& tools, const std::string& origin, ReadingNotes& notes) {
  if (tools.is_string()) {
    ++notes.conversions["tools as JSON text"];
    return tool_set_from_json(host::parse_strict_json(tools.get<std::string>()), origin, notes);
  }
  constexpr std::size_t most_entries = 4096;
  thread_local std::unordered_map<std::string, ToolSet> known;
  const std::string text = dumped(tools);
  const Json list = tools.is_array() ? wrapped(tools, "tools", notes) : tools;
  if (const auto found = known.find(text); found != known.end()) return found->second;
  auto set = std::make_shared<const std::vector<Tool>>(tools_from_json(list, origin));
  if (known.size() >= most_entries) known.clear();
  return known.emplace(text, std::move(set)).first->second;
}

Conversation conversation_from_row(const Json& row, ReadingNotes& notes) {
  const JsonCursor root(row, "row");
  const JsonCursor messages = root.object().at("messages").array();
  if (root.has("tools") && root.has("functions"))
    root.at("functions").refuse("one of \"tools\" and the older \"functions\"", "both");
  Conversation conversation;
  conversation.messages = messages_from_json(messages.json(), "row", "/messages", notes);
  check_user(messages, conversation.messages);
  if (root.has("tools")) conversation.tools = tool_set_from_json(root.at("tools").json(), "row: /tools", notes);
  if (root.has("functions")) {
    ++notes.conversions["legacy functions"];
    ReadingNotes wrapping;  // has none by its nature
    conversation.tools = tool_set_from_json(root.at("functions").json(), "row: /functions", wrapping);
  }
  conversation.metadata = kept_metadata(root, notes);
  return conversation;
}

}  // namespace retort::task
