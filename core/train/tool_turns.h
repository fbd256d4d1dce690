// What stands between two answers of a rollout: an environment executes the calls of one, and the policy reads the
// results before it gives the next. No LibTorch.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "host/algorithm/environment_call.h"
#include "task/dataset.h"
#include "task/prompt_contract.h"

namespace retort::train {

/// One rollout's conversation and its world, from the environment's initial state. One thread.
class ToolTurns {
 public:
  /// Borrows both.
  ToolTurns(const host::EnvironmentCall& environment, const task::Example& asked);
  /// Executes the calls of an answer; the conversation goes on by that answer and a tool's message a call. Throws as
  /// host::EnvironmentSession::execute.
  void execute(const std::vector<task::Call>& calls);
  /// The question with all answers that were executed and their results.
  const task::Conversation& conversation() const { return said_; }
  /// Of all calls so far, as environment.h has it for one list: "results" joined, "state" the last one. null: none yet.
  const nlohmann::json& execution() const { return execution_; }

 private:
  host::EnvironmentSession session_;
  task::Example said_;
  nlohmann::json execution_;
};

/// The tokens that stand behind the last answer of `said` (which ends with that answer's results) up to the begin of
/// the next one: what a policy has read and written stays as it is. Throws std::invalid_argument where the prompt form
/// cannot show such a conversation, or shows the answer in other tokens than when it was the last.
std::vector<text::TokenId> tokens_behind_answer(const task::PromptContract& contract, const text::Tokenizer& tokenizer,
                                                const task::Conversation& said);

/// Throws std::invalid_argument, naming max_turns and the reason, where the policy's prompt form cannot show calls with
/// results behind these examples' questions (the first of them with a call is tried).
void expect_tool_turns(const task::PromptContract& contract, const text::Tokenizer& tokenizer,
                       const std::vector<task::Example>& examples);

}  // namespace retort::train
