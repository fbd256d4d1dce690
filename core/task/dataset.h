// A dataset folder: tools.json (OpenAI `tools`) and one <split>.jsonl per split (train, validation, test) of OpenAI
// chat rows, as chat_row.h reads them: {"messages": […], "tools"?: […], "metadata"?: {…}}. A row that does not end with
// an assistant message is unlabelled; an assistant message without tool_calls says that no call answers.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "task/call.h"
#include "task/conversation.h"
#include "task/row_file.h"

namespace retort::task {

/// A conversation up to an assistant's turn (`messages`, which ends with another role), and that turn's answer.
struct Example : Conversation {
  Example() = default;
  /// One user message and its answer.
  Example(std::string utterance, std::optional<std::vector<Call>> answer, nlohmann::json described = {});

  std::optional<std::vector<Call>> calls;  ///< nothing: unlabelled; empty: no call answers
  std::string text;                        ///< what the answer says beside its calls, or in their place
  /// Whether it is more than one user message: earlier turns, a system text, tools of its own.
  bool has_context() const;
};

/// The answer as an assistant's message, its ids following those of the conversation. Expects calls.
Message answer_of(const Example& example);

/// Which assistant turns of a row become examples.
enum class Turns { last, all };

/// The examples of a conversation: its assistant turns behind a user message, as `turns` asks, less those that are not
/// to be learnt; and, where another role ends it, the turn that is missing, unlabelled. Turns that are left out are
/// counted in `notes`.
std::vector<Example> examples_of(const Conversation& conversation, Turns turns, ReadingNotes& notes);

/// A row that could not be used: it is reported, never dropped silently.
struct RejectedRow {
  std::int64_t line = 0;  ///< 1-based
  std::string reason;
  std::string text;  ///< the row as it stands in the file
};

struct Split {
  std::vector<Example> examples;
  std::vector<RejectedRow> rejected;
  RowTally tally;  ///< of rows, which may be fewer than examples
};

/// Earlier assistant turns have "weight": 0: another row learns them.
nlohmann::json to_row(const Example& example);
/// The last turn of a row. Throws std::invalid_argument: what was expected, found.
Example from_row(const nlohmann::json& row);

/// Reads one JSONL file. A row that is not JSON, or not a chat row, goes to `rejected`; when more than
/// `max_rejected_share` of the rows do, throws std::runtime_error naming file, count and the first three reasons.
/// Throws std::runtime_error when the file cannot be read.
Split read_split(const std::filesystem::path& file, double max_rejected_share = 0.01, Turns turns = Turns::last);

/// Atomic (temporary name, fsync, rename).
void write_split(const std::filesystem::path& file, const std::vector<Example>& examples);
void write_rejected(const std::filesystem::path& file, const std::vector<RejectedRow>& rejected);
/// One line of rejected.jsonl, with its line feed.
std::string to_line(const RejectedRow& row);
std::string to_line(const nlohmann::json& row);

std::vector<Tool> read_tools(const std::filesystem::path& tools_json);

}  // namespace retort::task
