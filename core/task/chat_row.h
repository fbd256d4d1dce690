// Reads one row of chat data: OpenAI's form, its older one, and what published data sets make of both. What is changed
// or left out on the way is counted; what contradicts itself is refused.
#pragma once

#include <nlohmann/json.hpp>

#include "task/conversation.h"

namespace retort::task {

/// `row`: {"messages": […], "tools"?, "metadata"?}. Reads
/// - roles system, developer, user, assistant, tool; "content" as text, null, or parts of type "text", which are joined
///   by line feeds;
/// - "tool_calls" with arguments as text or as an object, with ids or without: a result without "tool_call_id" answers
///   the first open call of its name, or the first;
/// - the older "functions", "function_call" and role "function"; tools as JSON text, or without their wrapping;
/// - calls that stand in an assistant's content (call_markup.h), where nothing in the row has "tool_calls";
/// - other keys of the row as metadata.
/// Counted in `notes`: every conversion, and under losses what no field holds (keys of messages, content beside it).
/// Throws std::invalid_argument, "row: pointer: expected …, found …", for anything else: "function_call" beside
/// "tool_calls", a result without a call or of another id, ids or tool names that stand twice, content parts that are
/// not text, no user message, a last user message that is blank.
Conversation conversation_from_row(const nlohmann::json& row, ReadingNotes& notes);

/// The messages alone, which may end with any role. `origin` is what errors call them, `pointer` where they stand.
std::vector<Message> messages_from_json(const nlohmann::json& messages, const std::string& origin,
                                        const std::string& pointer, ReadingNotes& notes);

/// OpenAI `tools`, `functions` without wrapping, or either as JSON text. Equal lists share one object.
ToolSet tool_set_from_json(const nlohmann::json& tools, const std::string& origin, ReadingNotes& notes);

}  // namespace retort::task
