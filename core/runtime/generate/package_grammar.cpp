// See package_grammar.h.
#include "runtime/generate/package_grammar.h"

#include "grammar/grammar_options.h"

namespace retort::runtime {

grammar::GrammarOptions package_grammar(const model::ModelFolder& folder) {
  const nlohmann::json task = folder.retort().value("task", nlohmann::json::object());
  if (!task.contains("grammar")) return {};
  return grammar::grammar_options_from_json(task.at("grammar"),
                                            (folder.path() / "retort.json").string() + " /task/grammar");
}

std::vector<std::string> said_in(const task::Conversation& conversation) {
  std::vector<std::string> texts;
  for (const task::Message& message : conversation.messages)
    if (message.role == task::Role::user || message.role == task::Role::tool) texts.push_back(message.content);
  return texts;
}

}  // namespace retort::runtime
