// The prototype as a pipeline of functions: each asks a teacher or the environment about a row and leaves a result that
// later functions may branch on.
//
// kind: what it does; its results.
// rewrite: the teacher writes the last user message anew; rewritten, failed.
// route: the teacher names the tools that later functions may use; some, none, failed.
// call: the teacher answers with calls, and its samples vote; calls, text, malformed, length, refused, failed.
// execute: the calls act on a fresh world; ok, failed, skipped.
// repair: what is wrong goes back to the teacher, so many times at most; unneeded, repaired, failed.
// answer: the teacher says what came of it, a turn of its own; answered, failed, skipped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "../common/teacher_requests.h"
#include "task/dataset.h"

namespace retort::stages {

struct Function {
  std::string name;  ///< by which later functions know its result
  std::string kind;
  /// Text with {utterance}, {tools}, {calls}, {results}, {error}. For call and answer, instructions before the
  /// conversation; for the others, the whole question. Empty: a text of this program's, in English.
  std::string prompt;
  std::size_t teacher = 0;         ///< of PrototypeComponents
  std::vector<std::string> tools;  ///< names of those it may use; empty: all that route left
  std::int64_t samples = 1;        ///< answers that vote, each an independent request
  std::int64_t repairs = 1;        ///< tries at most; 0: none
  std::vector<std::string> when;   ///< "NAME=RESULT" or "NAME!=RESULT", all of which must hold; empty: always
};

/// Throws std::invalid_argument naming the function: unknown kinds, names that are not there or come twice, teachers
/// that are not there, a repair before the call, no call at all. `executes`: there is an environment.
void expect_functions(const std::vector<Function>& functions, std::size_t teachers, bool executes);

/// The teacher's answer to one row.
struct Reply {
  std::vector<task::Call> calls;
  std::string text;        ///< beside the calls, or in their place
  std::string malformed;   ///< not empty: it is no list of calls
  nlohmann::json message;  ///< as the teacher wrote it
};

struct Rejection {
  std::string kind;
  std::string reason;
};

/// A row on its way through the functions.
struct RowState {
  std::size_t row = 0;  ///< in the dataset, from 0
  const task::Example* example = nullptr;
  std::vector<task::Message> messages;         ///< of the example; the last rewritten
  std::optional<std::set<std::string>> tools;  ///< names that route left
  std::optional<Reply> reply;
  std::optional<Rejection> failure;  ///< of the call: there is no reply
  nlohmann::json execution;          ///< null: not executed
  std::optional<double> solve_rate;  ///< share of the samples that agree with the reply
  std::string final_text;            ///< of answer; empty: none
  std::int64_t repaired = 0;         ///< repairs that the reply took
  std::map<std::string, std::string> results;
};

/// What stands around the functions: borrowed.
struct FunctionWorld {
  const std::vector<task::Tool>& tools;  ///< of rows without their own
  std::vector<Complete> teachers;
  std::function<nlohmann::json(const nlohmann::json& calls)> execute;  ///< empty: nothing is executed
  AnswerJournal* journal = nullptr;
  TeacherCost cost;
};

/// Runs every function over all rows, one after the other, so that each batch of requests is as large as it can be.
void run_functions(const std::vector<Function>& functions, std::vector<RowState>& rows, FunctionWorld& world);

/// The reply as an assistant's message, and a tool's message for the result of each of its calls.
std::vector<task::Message> turns_after(const RowState& row);

/// Why the reply's calls cannot be calls of the row's tools; nothing where they can.
std::optional<std::string> schema_fault(const RowState& row, const std::vector<task::Tool>& tools);

}  // namespace retort::stages
