// Calls from a model that knows no tools: they are described in a text, and the answer is JSON of their schema.
#pragma once

#include <nlohmann/json.hpp>

namespace retort::openai {

/// Takes "tools" and "tool_choice" out of a body and puts into it a system text that describes them and a
/// response_format of {"calls": [{"name", "arguments"}], "text"}. Does nothing where there are no tools.
void ask_for_json_calls(nlohmann::json& body);

/// The tool calls of such an answer, in place of its content. A content of another shape stays as it is.
void read_json_calls(nlohmann::json& choice);

}  // namespace retort::openai
