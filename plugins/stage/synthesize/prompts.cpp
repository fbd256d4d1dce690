// See prompts.h.
#include "prompts.h"

namespace retort::stages {
namespace {

using nlohmann::json;

constexpr const char* situation =
    "You invent realistic tasks for an assistant that can use tools.\nPerson: {persona}\nTopic: "
    "{topic}\nCircumstances: "
    "{attribute}\nTools:\n{tools}\nValues to use: {values}\n\n";

std::string text_of_json(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

Prompts default_prompts() {
  const std::string before = situation;
  const std::string only = " Answer with one sentence that says what the person wants, and nothing else.";
  Prompts prompts;
  prompts.task = {
      {RowKind::single, before + "Invent a task that one call of the tool fulfils." + only},
      {RowKind::parallel,
       before +
           "Invent a task that needs one call of each tool in the list, a tool that stands twice twice with other "
           "values, where no call needs the result of another." +
           only},
      {RowKind::multi_step,
       before + "Invent a task that needs the first tool and then, with what it gave back, the second." + only},
      {RowKind::missing_argument,
       before +
           "Invent a task for the tool in which the person says nothing of {missing}, which the tool needs and "
           "nobody can guess." +
           only},
      {RowKind::no_call,
       before + "Invent a task about the topic that none of these tools can fulfil, though one might think so." + only},
      {RowKind::text_reply,
       before +
           "Invent something that the person says or asks which needs no tool at all: thanks, small talk, or a "
           "question that anyone can answer." +
           only}};
  prompts.utterance =
      "Write what this person types to an assistant. Person: {persona}\nCircumstances: {attribute}\nWhat they want: "
      "{task}\nExact values, if any: {values}\nUse the person's own words, name no tool, and answer with the message "
      "alone.";
  prompts.answer =
      "Use the tools where they fit what is asked, with the values that were said. Ask back in one short question if "
      "something that a tool needs is missing. If no tool fits, say so in one short sentence.";
  prompts.result =
      "A tool of an assistant was called: {call}\nWrite a short, plausible result as JSON, and nothing else.";
  return prompts;
}

std::map<std::string, std::string> placeholders(const RowPlan& plan, const std::vector<task::Tool>& tools) {
  std::string listed;
  const bool none = plan.tools.empty();
  for (const std::size_t tool : none ? plan.distractors : plan.tools)
    listed +=
        "- " + tools[tool].name + ": " + tools[tool].description + " " + text_of_json(tools[tool].parameters) + "\n";
  const auto or_any = [](const std::string& text) { return text.empty() ? std::string("any") : text; };
  return {{"persona", or_any(plan.persona)},
          {"topic", or_any(plan.topic)},
          {"attribute", or_any(plan.attribute)},
          {"tools", listed},
          {"values", plan.values.empty() ? "any" : text_of_json(json(plan.values))},
          {"missing", plan.missing}};
}

}  // namespace retort::stages
