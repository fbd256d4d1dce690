// The envelope of calls of a chat template, found by looking at how it writes one call and two.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "task/call_envelope.h"
#include "task/conversation.h"
#include "text/tokenizer.h"

namespace retort::task {

/// `answer_text`: the text of an answer of these calls, up to its end; nothing where the template refuses so many.
/// Throws std::invalid_argument where name or arguments cannot be found in it.
CallEnvelope template_envelope(
    const text::Tokenizer& tokenizer, const std::vector<Tool>& tools, text::TokenId end,
    const std::function<std::optional<std::string>(const std::vector<Call>& calls)>& answer_text);

}  // namespace retort::task
