// What `retort call` is asked: a text, or a conversation from a file, with a system text and tools.
#pragma once

#include "command.h"
#include "runtime/generate/call_model.h"
#include "task/conversation.h"
#include "task/prompt_contract.h"

namespace retort::apps {

/// --messages, --system, --tools, --enums.
void add_question_options(boost::program_options::options_description& options);

/// Throws std::invalid_argument unless there is one of TEXT and --messages.
void expect_one_question(const boost::program_options::variables_map& variables);

/// Reads TEXT or --messages, and what stands beside. Says on standard error what reading converted, and what the
/// model's prompt form does not show. Throws std::invalid_argument: a file that is no conversation
/// (its place in it), a conversation that ends with an assistant, tools for a model whose tools are fixed.
task::Conversation read_question(const boost::program_options::variables_map& variables,
                                 const task::PromptContract& contract);

/// Gives the model's call grammar what --enums says: {TOOL: {ARGUMENT: [TEXT, …]}}, the values of this user in place of
/// the schema's. Throws std::invalid_argument for a file that is not of that form, or names what no tool has.
void apply_enums(const boost::program_options::variables_map& variables, runtime::CallModel& model);

}  // namespace retort::apps
