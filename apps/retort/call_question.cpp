#include "call_question.h"

#include <stdexcept>
#include <utility>

#include "grammar/grammar_options.h"
#include "host/base/files.h"
#include "host/base/json_cursor.h"
#include "host/base/log.h"
#include "task/chat_row.h"

namespace retort::apps {

namespace po = boost::program_options;
using host::JsonCursor;
using Json = nlohmann::json;

namespace {

Json read(const std::string& file) {
  try {
    return host::parse_strict_json(host::read_file(file));
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(file + ": " + error.what());
  }
}

/// An array of messages, or {"messages", "tools"?}.
task::Conversation read_messages(const std::string& file, task::ReadingNotes& notes) {
  const Json json = read(file);
  const bool bare = json.is_array();
  const JsonCursor root(json, file);
  task::Conversation conversation;
  conversation.messages =
      task::messages_from_json(bare ? json : root.at("messages").array().json(), file, bare ? "" : "/messages", notes);
  if (!bare && root.has("tools"))
    conversation.tools = task::tool_set_from_json(root.at("tools").json(), file + ": /tools", notes);
  if (bare) return conversation;
  for (const auto& item : json.items())
    if (item.key() != "messages" && item.key() != "tools") ++notes.losses["key \"" + item.key() + "\" of " + file];
  return conversation;
}

void add_system(const std::string& text, task::Conversation& conversation) {
  for (const task::Message& message : conversation.messages)
    if (message.role == task::Role::system || message.role == task::Role::developer)
      throw std::invalid_argument("--system: the messages have a system text already; leave one of them out");
  conversation.messages.insert(conversation.messages.begin(), {.role = task::Role::system, .content = text});
}

void check_tools(const task::Conversation& conversation, const task::PromptContract& contract) {
  if (!conversation.tools || contract.form().takes_any_tools() || *conversation.tools == contract.tools()) return;
  throw std::invalid_argument(
      "tools: this model was trained for the tools of its task, which its form \"" + contract.format() +
      "\" holds in its weights; leave others out, or train in the form \"chat_template\", which takes any");
}

void say(task::ReadingNotes notes, const task::Conversation& conversation, const task::PromptContract& contract) {
  for (const std::string& lost : contract.losses(conversation, nullptr)) ++notes.losses[lost];
  if (!notes.conversions.empty()) host::log_info("converted: " + task::ReadingNotes::listed(notes.conversions));
  if (!notes.losses.empty()) host::log_warning("not shown to the model: " + task::ReadingNotes::listed(notes.losses));
}

}  // namespace

void add_question_options(po::options_description& options) {
  options.add_options()("messages", po::value<std::string>()->value_name("FILE"),
                        "in place of TEXT: OpenAI messages as a JSON array, or {\"messages\", \"tools\"}")(
      "system", po::value<std::string>()->value_name("TEXT"), "a system message before the others")(
      "tools", po::value<std::string>()->value_name("FILE"),
      "an OpenAI tools array, for a model in the form chat_template; others have theirs in their weights")(
      "enums", po::value<std::string>()->value_name("FILE"),
      "values that arguments may have today (rooms, contacts): {\"TOOL\": {\"ARGUMENT\": [\"…\"]}}");
}

void expect_one_question(const po::variables_map& variables) {
  const bool has_text = variables.count("text") > 0, has_messages = variables.count("messages") > 0;
  if (has_text == has_messages)
    throw std::invalid_argument(std::string("expected TEXT or --messages FILE, found ") +
                                (has_text ? "both" : "neither"));
}

task::Conversation read_question(const po::variables_map& variables, const task::PromptContract& contract) {
  const bool has_text = variables.count("text") > 0, has_messages = variables.count("messages") > 0;
  task::ReadingNotes notes;
  task::Conversation conversation = has_text ? task::conversation_of(variables["text"].as<std::string>())
                                             : read_messages(variables["messages"].as<std::string>(), notes);
  if (has_messages) task::expect_question(conversation.messages);
  if (variables.count("system") > 0) add_system(variables["system"].as<std::string>(), conversation);
  if (variables.count("tools") > 0) {
    if (conversation.tools) throw std::invalid_argument("--tools: the messages bring tools already; leave one out");
    const auto file = variables["tools"].as<std::string>();
    conversation.tools = task::tool_set_from_json(read(file), file, notes);
  }
  check_tools(conversation, contract);
  say(std::move(notes), conversation, contract);
  return conversation;
}

void apply_enums(const po::variables_map& variables, runtime::CallModel& model) {
  if (variables.count("enums") == 0) return;
  const auto file = variables["enums"].as<std::string>();
  runtime::CallGrammar wanted = model.grammar_settings();
  grammar::add_enums(wanted.options, read(file), file);
  model.set_grammar(std::move(wanted));
}

}  // namespace retort::apps
