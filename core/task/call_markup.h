// Calls that a model wrote into its text, in the notations of the known families. Used for data that holds such text in
// place of `tool_calls`, and for the answers of models that are asked by their own chat template.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "task/call.h"

namespace retort::task {

struct MarkedCalls {
  std::string family;  ///< which notation, for counters: "Hermes <tool_call>", …
  std::string text;    ///< what stands around the calls, without white space at its ends
  std::vector<Call> calls;
};

/// Reads
/// - Hermes, Qwen 2.5, Qwen 3, SmolLM2: <tool_call>{"name", "arguments"}</tool_call>, one call each;
/// - Phi-4, Granite: <|tool_call|>[{…}] or <tool_call>[{…}];
/// - Mistral: [TOOL_CALLS] [{…}], or [TOOL_CALLS]name[ARGS]{…} each;
/// - Llama 3: {"name", "parameters"}, several parted by ";", with or without <|python_tag|>;
/// - Llama 3.1: <function=name>{…}</function>;
/// - DeepSeek: <｜tool▁call▁begin｜>function<｜tool▁sep｜>name, and arguments in a ```json block;
/// - the whole text as JSON {"name", "arguments"}, or a list of these.
/// Nothing where no such mark stands in `text`. Throws std::invalid_argument, expected and found, where a mark stands
/// but no call follows, and for notations that are known and not read (Qwen3-Coder's XML, Python calls).
std::optional<MarkedCalls> calls_in_text(std::string_view text);

}  // namespace retort::task
