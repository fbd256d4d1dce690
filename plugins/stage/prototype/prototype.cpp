// Batches of rows through functions, checks and reward. Files are prototype_plugin.cpp's business.
#include "prototype.h"

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <utility>

#include "task/call.h"

namespace retort::stages {
namespace {

using nlohmann::json;
using task::Example;

std::string shown(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// What the teacher wrote, as text: its content, or its calls where it has none.
std::string text_of(const json& message) {
  const json content = message.value("content", json());
  if (content.is_string() && content != "") return content;
  return message.contains("tool_calls") ? shown(message["tool_calls"]) : std::string();
}

json to_item(const RowState& row) {
  const Example& example = *row.example;
  json item = {{"messages", task::messages_to_json(example.messages)}, {"text", text_of(row.reply->message)}};
  if (example.tools) item["tools"] = task::tools_to_json(*example.tools);
  item["response"] = {{"calls", task::calls_to_json(row.reply->calls)}};
  if (!row.execution.is_null()) item["execution"] = row.execution;
  return item;
}

bool executed_well(const RowState& row) {
  return row.execution.is_null() || row.execution.value("ok", false);
}

Rejection rejection_of(const host::RewardItem& verdict, const RowState& row) {
  if (!verdict.error.empty()) return {"reward_error", verdict.error};
  if (verdict.malformed) return {"malformed", verdict.reason};
  return {executed_well(row) ? "score" : "execution",
          "score " + json(verdict.scores[0]).dump() + ": " + verdict.reason};
}

/// The step of the funnel at which each kind of rejection happens.
std::string step_of(const std::string& kind) {
  if (kind == "teacher_error") return "answered";
  if (kind == "refused" || kind == "length" || kind == "malformed") return "format";
  if (kind == "score" || kind == "reward_error") return "semantics";
  return kind;
}

const std::vector<Function> one_call = {{"call", "call", "", 0, {}, 1, 0, {}}};

class Labeller {
 public:
  Labeller(const RowStream& stream, const std::vector<task::Tool>& tools, const PrototypeComponents& components,
           const PrototypeOptions& options)
      : stream_(stream),
        tools_(tools),
        tools_text_(task::tools_to_json(tools).dump()),
        components_(components),
        options_(options),
        world_{tools, {components.complete}, components.execute, options.journal, {}} {
    world_.teachers.insert(world_.teachers.end(), components.teachers.begin(), components.teachers.end());
  }

  /// `first`: number of the first example in the data set, from 0.
  void label(const std::vector<Example>& examples, std::size_t first, LabelCounts& result) {
    std::vector<RowState> rows(examples.size());
    for (std::size_t i = 0; i < examples.size(); ++i) {
      rows[i].row = first + i;
      rows[i].example = &examples[i];
      rows[i].messages = examples[i].messages;
    }
    run_functions(options_.functions.empty() ? one_call : options_.functions, rows, world_);
    result.cost += std::exchange(world_.cost, {});
    std::vector<RowState*> sound;
    for (RowState& row : rows) {
      if (const auto rejection = before_reward(row))
        reject(row, *rejection, result);
      else
        sound.push_back(&row);
    }
    judge(sound, result);
  }

 private:
  /// Format and schema; executes what was not executed.
  std::optional<Rejection> before_reward(RowState& row) const {
    if (row.failure) return row.failure;
    if (!row.reply) return Rejection{"teacher_error", "no function asked for calls: see its \"when\""};
    if (!row.reply->malformed.empty()) return Rejection{"malformed", row.reply->malformed};
    if (options_.check_schema)
      if (auto fault = schema_fault(row, tools_)) return Rejection{"schema", *fault};
    if (row.execution.is_null() && components_.execute)
      row.execution = components_.execute(task::calls_to_json(row.reply->calls));
    return std::nullopt;
  }

  void judge(const std::vector<RowState*>& rows, LabelCounts& result) const {
    if (rows.empty()) return;
    json items = json::array();
    for (const RowState* row : rows) {
      items.push_back(to_item(*row));
      if (!options_.reference || !row->example->calls) continue;
      const json reference = task::calls_to_json(*row->example->calls);
      items.back()["reference"] = {{"calls", reference}};
      if (components_.execute) items.back()["reference_execution"] = components_.execute(reference);
    }
    std::vector<host::RewardItem> verdicts(rows.size());
    components_.score(tools_text_, shown(items), verdicts.size(),
                      [&](std::size_t index, host::RewardItem verdict) { verdicts[index] = std::move(verdict); });
    for (std::size_t k = 0; k < rows.size(); ++k) {
      const host::RewardItem& verdict = verdicts[k];
      const RowState& row = *rows[k];
      if (!verdict.error.empty() || verdict.malformed || verdict.scores[0] < options_.threshold)
        reject(row, rejection_of(verdict, row), result);
      else if (const auto rejection = too_easy_or_hard(row))
        reject(row, *rejection, result);
      else
        accept(row, result);
    }
  }

  std::optional<Rejection> too_easy_or_hard(const RowState& row) const {
    if (!row.solve_rate ||
        (*row.solve_rate >= options_.least_solve_rate && *row.solve_rate <= options_.most_solve_rate))
      return std::nullopt;
    return Rejection{"difficulty", "solve rate " + json(*row.solve_rate).dump() + ", expected " +
                                       json(options_.least_solve_rate).dump() + " to " +
                                       json(options_.most_solve_rate).dump()};
  }

  static json described(const RowState& row) {
    json metadata = row.example->metadata;
    if (row.solve_rate) metadata["solve_rate"] = *row.solve_rate;
    if (row.repaired > 0) metadata["repairs"] = row.repaired;
    return metadata;
  }

  void accept(const RowState& row, LabelCounts& result) const {
    for (const char* step : funnel_steps) ++result.funnel[step];
    Example labelled = *row.example;
    labelled.calls = row.reply->calls;
    labelled.text = row.reply->text;
    labelled.metadata = described(row);
    stream_.accept(labelled);
    ++result.accepted;
    if (row.final_text.empty()) return;
    for (task::Message& message : turns_after(row)) labelled.messages.push_back(std::move(message));
    labelled.calls.emplace();
    labelled.text = row.final_text;
    stream_.accept(labelled);
    ++result.accepted;
  }

  void reject(const RowState& row, const Rejection& rejection, LabelCounts& result) const {
    const std::string step = step_of(rejection.kind);
    for (const char* passed : funnel_steps) {
      if (step == passed) break;
      ++result.funnel[passed];
    }
    Example example = *row.example;
    example.metadata = described(row);
    example.metadata["rejected_at"] = step;
    stream_.reject({static_cast<std::int64_t>(row.row + 1), rejection.kind + ": " + rejection.reason,
                    shown(task::to_row(example))});
    ++result.rejected;
    ++result.rejected_by[rejection.kind];
  }

  const RowStream& stream_;
  const std::vector<task::Tool>& tools_;
  std::string tools_text_;
  const PrototypeComponents& components_;
  const PrototypeOptions& options_;
  FunctionWorld world_;
};

}  // namespace

LabelCounts label(const RowStream& stream, const std::vector<task::Tool>& tools, const PrototypeComponents& components,
                  const PrototypeOptions& options) {
  Labeller labeller(stream, tools, components, options);
  const std::size_t batch = std::max<std::size_t>(options.batch_size, 1);
  LabelCounts result;
  for (const char* step : funnel_steps) result.funnel[step] = 0;
  for (bool more = true; more;) {
    std::vector<Example> window;
    for (Example example; window.size() < batch && (more = stream.next(example));) window.push_back(std::move(example));
    if (window.empty()) break;
    labeller.label(window, static_cast<std::size_t>(result.rows), result);
    result.rows += std::ssize(window);
    stream.progress(static_cast<std::size_t>(result.rows));
  }
  return result;
}

}  // namespace retort::stages
