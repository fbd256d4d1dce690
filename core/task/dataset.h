// A dataset folder: tools.json (OpenAI `tools`) and one <split>.jsonl per split (train, validation, test) of OpenAI
// chat rows: {"messages": [{"role": "user", "content": …}, {"role": "assistant", "tool_calls": [{"id": …, "type":
// "function", "function": {"name": …, "arguments": "<JSON text>"}}]}], "metadata": {…}}. A row without an assistant
// message is unlabelled; an assistant message without tool_calls says that no call answers the utterance.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "task/call.h"

namespace retort::task {

struct Example {
  std::string utterance;                   ///< content of the last user message
  std::optional<std::vector<Call>> calls;  ///< nothing: unlabelled
  nlohmann::json metadata = nlohmann::json::object();
};

/// A row that could not be used: it is reported, never dropped silently.
struct RejectedRow {
  std::int64_t line = 0;  ///< 1-based
  std::string reason;
  std::string text;  ///< the row as it stands in the file
};

struct Split {
  std::vector<Example> examples;
  std::vector<RejectedRow> rejected;
};

nlohmann::json to_row(const Example& example);
/// Throws std::invalid_argument: what was expected, found.
Example from_row(const nlohmann::json& row);

/// Reads one JSONL file. A row that is not JSON, or not a chat row, goes to `rejected`; when more than
/// `max_rejected_share` of the rows do, throws std::runtime_error naming file, count and the first three reasons.
/// Throws std::runtime_error when the file cannot be read.
Split read_split(const std::filesystem::path& file, double max_rejected_share = 0.01);

/// Reads `from` as read_split does and writes it to `to` without the rows that cannot be used, so that no later stage
/// meets them; byte for byte where all can be. Nothing where `from` is not there.
std::optional<Split> pass_on_split(const std::filesystem::path& from, const std::filesystem::path& to,
                                   double max_rejected_share);

/// Atomic (temporary name, fsync, rename).
void write_split(const std::filesystem::path& file, const std::vector<Example>& examples);
void write_rejected(const std::filesystem::path& file, const std::vector<RejectedRow>& rejected);

std::vector<Tool> read_tools(const std::filesystem::path& tools_json);

}  // namespace retort::task
