// See functions.h. A request's place in the journal is made of row, function and sample or try.
#include "functions.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <stdexcept>
#include <utility>

#include "../../common/placeholders.h"
#include "../common/votes.h"
#include "readings.h"
#include "task/call.h"

namespace retort::stages {
namespace {

using nlohmann::json;

constexpr std::size_t most_functions = 255, most_requests = 255;  ///< of a row, and of a function of a row

constexpr std::array kinds = {"rewrite", "route", "call", "execute", "repair", "answer"};

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// The words of this program where the config has none.
std::string words_for(const std::string& kind) {
  if (kind == "rewrite")
    return "Rewrite this request so that it is complete and plain, in its own language, and answer with nothing but "
           "the new text:\n{utterance}";
  if (kind == "route")
    return "Which of these functions may be needed for the request? Answer with a JSON array of their names and "
           "nothing "
           "else, [] for none.\nFunctions:\n{tools}\nRequest:\n{utterance}";
  if (kind == "repair") return "That cannot be done: {error}\nMake the calls again, corrected.";
  return "";
}

std::string utterance_of(const std::vector<task::Message>& messages) {
  for (auto message = messages.rbegin(); message != messages.rend(); ++message)
    if (message->role == task::Role::user) return message->content;
  return "";
}

bool holds(const std::string& condition, const RowState& row) {
  const std::size_t equals = condition.find('=');
  const bool differs = equals > 0 && condition[equals - 1] == '!';
  const auto found = row.results.find(condition.substr(0, differs ? equals - 1 : equals));
  const bool same = found != row.results.end() && found->second == condition.substr(equals + 1);
  return same != differs;
}

class Runner {
 public:
  Runner(const std::vector<Function>& functions, std::vector<RowState>& rows, FunctionWorld& world)
      : functions_(functions), rows_(rows), world_(world), shared_tools_(dump(task::tools_to_json(world.tools))) {}

  void run() {
    for (index_ = 0; index_ < functions_.size(); ++index_) {
      const Function& function = functions_[index_];
      std::vector<RowState*> rows;
      for (RowState& row : rows_)
        if (std::all_of(function.when.begin(), function.when.end(),
                        [&](const std::string& condition) { return holds(condition, row); }))
          rows.push_back(&row);
      if (function.kind == "rewrite") rewrite(function, rows);
      if (function.kind == "route") route(function, rows);
      if (function.kind == "call") call(function, rows);
      if (function.kind == "execute") execute(function, rows);
      if (function.kind == "repair") repair(function, rows);
      if (function.kind == "answer") answer(function, rows);
    }
  }

 private:
  std::vector<json> ask(const Function& function, const std::vector<TeacherRequest>& requests,
                        const std::string& tools) {
    return stages::ask(world_.teachers[function.teacher], tools, requests, world_.journal, world_.cost);
  }
  std::size_t place(const RowState& row, std::size_t request) const {
    return (row.row * (most_functions + 1) + index_) * (most_requests + 1) + request;
  }

  const std::vector<task::Tool>& tools_of_row(const RowState& row) const {
    return row.example->tools ? *row.example->tools : world_.tools;
  }
  /// Nothing where it is all that the data set has, which cross once a batch.
  std::optional<std::vector<task::Tool>> tools_for(const Function& function, const RowState& row) const {
    if (!row.example->tools && !row.tools && function.tools.empty()) return std::nullopt;
    std::vector<task::Tool> chosen;
    for (const task::Tool& tool : tools_of_row(row)) {
      const bool routed = !row.tools || row.tools->contains(tool.name);
      const bool named = function.tools.empty() ||
                         std::find(function.tools.begin(), function.tools.end(), tool.name) != function.tools.end();
      if (routed && named) chosen.push_back(tool);
    }
    return chosen;
  }

  std::string prompt(const Function& function, const RowState& row, const std::string& error = "") const {
    const std::string text = function.prompt.empty() ? words_for(function.kind) : function.prompt;
    if (text.empty()) return text;
    std::string tools;
    for (const task::Tool& tool : tools_for(function, row).value_or(tools_of_row(row)))
      tools += tool.name + ": " + tool.description + "\n";
    return prompts::filled(text, {{"utterance", utterance_of(row.messages)},
                                  {"tools", tools},
                                  {"calls", row.reply ? dump(task::calls_to_json(row.reply->calls)) : "[]"},
                                  {"results", row.execution.is_null() ? "" : dump(row.execution)},
                                  {"error", error}});
  }

  /// The conversation as the teacher sees it, with instructions before it where the function has some.
  json conversation(const Function& function, const RowState& row) const {
    json messages = task::messages_to_json(row.messages);
    for (json& message : messages) message.erase("weight");
    std::string instructions = function.kind == "repair" ? "" : prompt(function, row);
    if (instructions.empty()) return messages;
    if (!messages.empty() && messages[0]["role"] == "system" && messages[0].value("content", json()).is_string()) {
      messages[0]["content"] = instructions + "\n\n" + messages[0]["content"].get<std::string>();
    } else {
      messages.insert(messages.begin(), json{{"role", "system"}, {"content", std::move(instructions)}});
    }
    return messages;
  }
  json request_with_tools(const Function& function, const RowState& row, json messages) const {
    json request = {{"messages", std::move(messages)}};
    if (const auto own = tools_for(function, row)) request["tools"] = task::tools_to_json(*own);
    return request;
  }
  static json question(std::string text) {
    return {{"messages", {{{"role", "user"}, {"content", std::move(text)}}}}, {"tools", json::array()}};
  }

  void rewrite(const Function& function, const std::vector<RowState*>& rows) {
    const std::vector<json> answers = ask_each(function, rows);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto text = content_of(answers[i]);
      rows[i]->results[function.name] = text ? "rewritten" : "failed";
      if (!text) continue;
      for (auto message = rows[i]->messages.rbegin(); message != rows[i]->messages.rend(); ++message)
        if (message->role == task::Role::user) {
          message->content = *text;
          break;
        }
    }
  }

  void route(const Function& function, const std::vector<RowState*>& rows) {
    const std::vector<json> answers = ask_each(function, rows);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto text = content_of(answers[i]);
      if (!text) {
        rows[i]->results[function.name] = "failed";
        continue;
      }
      std::set<std::string> named;
      for (const task::Tool& tool : tools_of_row(*rows[i]))
        if (names(*text, tool.name)) named.insert(tool.name);
      rows[i]->results[function.name] = named.empty() ? "none" : "some";
      rows[i]->tools = std::move(named);
    }
  }
  /// Whether `name` stands in `text` as a word of its own.
  static bool names(const std::string& text, const std::string& name) {
    const auto inside = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-'; };
    for (std::size_t at = text.find(name); at != text.npos; at = text.find(name, at + 1)) {
      const std::size_t end = at + name.size();
      if ((at == 0 || !inside(text[at - 1])) && (end == text.size() || !inside(text[end]))) return true;
    }
    return false;
  }

  std::vector<json> ask_each(const Function& function, const std::vector<RowState*>& rows) {
    std::vector<TeacherRequest> requests;
    for (const RowState* row : rows) requests.push_back({place(*row, 0), question(prompt(function, *row))});
    return ask(function, requests, "");
  }

  void call(const Function& function, const std::vector<RowState*>& rows) {
    const auto samples = static_cast<std::size_t>(function.samples);
    std::vector<TeacherRequest> requests;
    for (const RowState* row : rows)
      for (std::size_t sample = 0; sample < samples; ++sample) {
        json request = request_with_tools(function, *row, conversation(function, *row));
        if (row->example->calls) request["recorded"] = task::to_json(task::answer_of(*row->example));
        if (sample > 0) request["sample"] = sample;
        requests.push_back({place(*row, sample), std::move(request)});
      }
    const std::vector<json> answers = ask(function, requests, shared_tools_);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      std::vector<Reading> readings;
      for (std::size_t sample = 0; sample < samples; ++sample)
        for (Reading& reading : readings_of(*rows[i]->example, answers[i * samples + sample]))
          readings.push_back(std::move(reading));
      decide(*rows[i], std::move(readings));
      rows[i]->results[function.name] = result_of(*rows[i]);
    }
  }

  static void decide(RowState& row, std::vector<Reading> readings) {
    std::vector<std::string> ballots;
    for (const Reading& reading : readings) ballots.push_back(ballot_of(reading));
    const Vote votes = vote(ballots);
    row.reply = std::move(readings[votes.winner].reply);
    row.failure = std::move(readings[votes.winner].failure);
    if (readings.size() > 1) row.solve_rate = votes.solve_rate();
  }

  void execute(const Function& function, const std::vector<RowState*>& rows) {
    for (RowState* row : rows) {
      if (!row->reply || !row->reply->malformed.empty() || row->reply->calls.empty()) {
        row->results[function.name] = "skipped";
        continue;
      }
      row->execution = world_.execute(task::calls_to_json(row->reply->calls));
      row->results[function.name] = row->execution.value("ok", false) ? "ok" : "failed";
    }
  }

  /// What is wrong with a reply that could be mended; "" where nothing is.
  std::string fault_of(const RowState& row) const {
    if (!row.reply) return "";
    if (!row.reply->malformed.empty()) return row.reply->malformed;
    if (const auto fault = schema_fault(row, world_.tools)) return *fault;
    if (!row.execution.is_null() && !row.execution.value("ok", false)) return dump(row.execution);
    return "";
  }

  void repair(const Function& function, const std::vector<RowState*>& rows) {
    std::map<RowState*, json> turns;  // of rows that are still at fault
    for (RowState* row : rows) {
      const bool at_fault = !fault_of(*row).empty();
      row->results[function.name] = at_fault ? "failed" : "unneeded";
      if (at_fault) turns[row] = conversation(function, *row);
    }
    for (std::int64_t attempt = 0; attempt < function.repairs && !turns.empty(); ++attempt) {
      std::vector<RowState*> asked;
      std::vector<TeacherRequest> requests;
      for (RowState* row : rows) {
        const auto turn = turns.find(row);
        if (turn == turns.end()) continue;
        append_fault(function, *row, turn->second);
        asked.push_back(row);
        requests.push_back(
            {place(*row, static_cast<std::size_t>(attempt)), request_with_tools(function, *row, turn->second)});
      }
      const std::vector<json> answers = ask(function, requests, shared_tools_);
      for (std::size_t i = 0; i < asked.size(); ++i)
        if (take_repair(*asked[i], answers[i])) {
          asked[i]->results[function.name] = "repaired";
          asked[i]->repaired = attempt + 1;
          turns.erase(asked[i]);
        }
    }
  }
  /// What the teacher said, a result for each of its calls as the API asks for, and what is wrong.
  void append_fault(const Function& function, const RowState& row, json& messages) const {
    json said = row.reply->message;
    said["role"] = "assistant";
    messages.push_back(said);
    const std::string error = fault_of(row);
    const json calls = said.value("tool_calls", json());
    for (const json& one : calls.is_array() ? calls : json::array())
      messages.push_back({{"role", "tool"},
                          {"tool_call_id", one.is_object() ? one.value("id", json("")) : json("")},
                          {"content", error}});
    messages.push_back({{"role", "user"}, {"content", prompt(function, row, error)}});
  }
  /// Whether the reply is now without fault. An answer that is none leaves the one before.
  bool take_repair(RowState& row, const json& answer) {
    Reading reading = readings_of(*row.example, answer).front();
    if (!reading.reply) return false;
    row.reply = std::move(reading.reply);
    const bool executable = world_.execute && row.reply->malformed.empty() && !row.reply->calls.empty();
    row.execution = executable ? world_.execute(task::calls_to_json(row.reply->calls)) : json();
    return fault_of(row).empty();
  }

  void answer(const Function& function, const std::vector<RowState*>& rows) {
    std::vector<RowState*> asked;
    std::vector<TeacherRequest> requests;
    for (RowState* row : rows) {
      row->results[function.name] = "skipped";
      if (!row->reply || row->reply->calls.empty() || !fault_of(*row).empty()) continue;
      json messages = conversation(function, *row);
      for (const task::Message& message : turns_after(*row)) messages.push_back(task::to_json(message));
      asked.push_back(row);
      requests.push_back({place(*row, 0), request_with_tools(function, *row, std::move(messages))});
      requests.back().request["tool_choice"] = "none";
    }
    const std::vector<json> answers = ask(function, requests, shared_tools_);
    for (std::size_t i = 0; i < asked.size(); ++i) {
      const auto text = content_of(answers[i]);
      asked[i]->results[function.name] = text ? "answered" : "failed";
      if (text) asked[i]->final_text = *text;
    }
  }

  const std::vector<Function>& functions_;
  std::vector<RowState>& rows_;
  FunctionWorld& world_;
  std::string shared_tools_;
  std::size_t index_ = 0;
};

[[noreturn]] void refuse(std::size_t index, const Function& function, const std::string& what) {
  throw std::invalid_argument("functions/" + std::to_string(index) + " (" + function.name + "): " + what);
}

}  // namespace

void expect_functions(const std::vector<Function>& functions, std::size_t teachers, bool executes) {
  std::set<std::string> known;
  bool called = false;
  if (functions.size() > most_functions)
    throw std::invalid_argument("functions: expected at most " + std::to_string(most_functions));
  for (std::size_t i = 0; i < functions.size(); ++i) {
    const Function& function = functions[i];
    if (std::find(kinds.begin(), kinds.end(), function.kind) == kinds.end())
      refuse(i, function,
             "kind: expected rewrite, route, call, execute, repair or answer, found \"" + function.kind + "\"");
    if (function.teacher >= teachers)
      refuse(i, function,
             "teacher: " + std::to_string(function.teacher) + " asks for more teachers than there are; 0 is " +
                 "\"teacher\", 1 the first of \"teachers\"");
    if (function.samples > static_cast<std::int64_t>(most_requests) ||
        function.repairs > static_cast<std::int64_t>(most_requests))
      refuse(i, function, "expected at most " + std::to_string(most_requests) + " samples or repairs");
    if ((function.kind == "execute" || function.kind == "repair" || function.kind == "answer") && !called)
      refuse(i, function, "stands before the first call");
    if (function.kind == "execute" && !executes) refuse(i, function, "needs an environment, and the slot is empty");
    for (const std::string& condition : function.when) {
      const std::size_t equals = condition.find('=');
      const std::size_t end =
          equals != condition.npos && equals > 0 && condition[equals - 1] == '!' ? equals - 1 : equals;
      if (equals == condition.npos || !known.contains(condition.substr(0, end)))
        refuse(i, function,
               "when: expected NAME=RESULT or NAME!=RESULT of a function before it, found \"" + condition + "\"");
    }
    if (!known.insert(function.name).second) refuse(i, function, "the name stands twice");
    called = called || function.kind == "call";
  }
  if (!functions.empty() && !called) throw std::invalid_argument("functions: expected a call among them");
}

void run_functions(const std::vector<Function>& functions, std::vector<RowState>& rows, FunctionWorld& world) {
  Runner(functions, rows, world).run();
}

}  // namespace retort::stages
