#include "train/tool_turns.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace retort::train {

using nlohmann::json;
using task::Message;
using task::Role;

namespace {

/// The answer that ends `said`, and a result of each of its calls.
void append_results(std::vector<Message>& said, const Message& answer, const json& results) {
  said.push_back(answer);
  for (std::size_t i = 0; i < answer.tool_calls.size(); ++i)
    said.push_back({.role = Role::tool,
                    .content = results.at(i).at("content").get<std::string>(),
                    .tool_call_id = answer.tool_calls[i].id,
                    .name = answer.tool_calls[i].call.name});
}

json joined_outcomes(json before, const json& after) {
  if (before.is_null()) return after;
  before["ok"] = before.at("ok").get<bool>() && after.at("ok").get<bool>();
  if (before.value("error", json()).is_null()) before["error"] = after.value("error", json());
  for (const json& result : after.at("results")) before["results"].push_back(result);
  before["state"] = after.at("state");
  return before;
}

}  // namespace

ToolTurns::ToolTurns(const host::EnvironmentCall& environment, const task::Example& asked)
    : session_(environment), said_(asked) {}

void ToolTurns::execute(const std::vector<task::Call>& calls) {
  said_.calls = calls;
  said_.text.clear();
  const Message answer = task::answer_of(said_);
  const json outcome = session_.execute(task::calls_to_json(calls));
  append_results(said_.messages, answer, outcome.at("results"));
  execution_ = joined_outcomes(std::move(execution_), outcome);
}

std::vector<text::TokenId> tokens_behind_answer(const task::PromptContract& contract, const text::Tokenizer& tokenizer,
                                                const task::Conversation& said) {
  const auto last = std::find_if(said.messages.rbegin(), said.messages.rend(),
                                 [](const Message& message) { return message.role == Role::assistant; });
  task::Conversation before = said;
  before.messages.assign(said.messages.begin(), last.base() - 1);
  const std::vector<text::TokenId> whole = contract.prompt(tokenizer, said);
  const std::vector<text::TokenId> answer = contract.response(tokenizer, before, *last);
  const std::size_t asked = contract.prompt(tokenizer, before).size();
  // Where earlier turns stand as they stood, the answer follows its prompt; else it is looked for from the end.
  const bool in_place = whole.size() >= asked + answer.size() &&
                        std::equal(answer.begin(), answer.end(), whole.begin() + static_cast<std::ptrdiff_t>(asked));
  const auto found = in_place ? whole.begin() + static_cast<std::ptrdiff_t>(asked)
                              : std::find_end(whole.begin(), whole.end(), answer.begin(), answer.end());
  if (found == whole.end())
    throw std::invalid_argument("the prompt form \"" + contract.format() +
                                "\" shows an answer with results behind it in other tokens than it is written in; "
                                "rollouts of several turns need a form that keeps what was written");
  return {found + static_cast<std::ptrdiff_t>(answer.size()), whole.end()};
}

void expect_tool_turns(const task::PromptContract& contract, const text::Tokenizer& tokenizer,
                       const std::vector<task::Example>& examples) {
  const auto called = std::find_if(examples.begin(), examples.end(),
                                   [](const task::Example& one) { return one.calls && !one.calls->empty(); });
  if (called == examples.end()) return;
  task::Conversation said = *called;
  const Message answer = task::answer_of(*called);
  append_results(said.messages, answer, json(answer.tool_calls.size(), {{"content", "{}"}}));
  try {
    tokens_behind_answer(contract, tokenizer, said);
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(std::string("max_turns: this policy cannot read the results of its calls: ") +
                                error.what());
  }
}

}  // namespace retort::train
