// What `retort call` is asked: a text, or a conversation from a file, with a system text and tools.
#pragma once

#include "command.h"
#include "task/conversation.h"
#include "task/prompt_contract.h"

namespace retort::apps {

/// --messages, --system, --tools.
void add_question_options(boost::program_options::options_description& options);

/// Reads TEXT or --messages, and what stands beside. Says on standard error what reading converted, and what the
/// model's prompt form does not show. Throws std::invalid_argument: neither or both, a file that is no conversation
/// (its place in it), a conversation that ends with an assistant, tools for a model whose tools are fixed.
task::Conversation read_question(const boost::program_options::variables_map& variables,
                                 const task::PromptContract& contract);

}  // namespace retort::apps
