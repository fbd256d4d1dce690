// Batches of rows through teacher, environment and reward. Files are prototype_plugin.cpp's business.
#include "prototype.h"

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <utility>
#include <variant>

#include "task/call.h"

namespace retort::stages {
namespace {

using nlohmann::json;
using task::Example;

/// The teacher's answer to one row.
struct Reply {
  std::vector<task::Call> calls;
  std::string text;       ///< beside the calls, or in their place
  std::string malformed;  ///< not empty: it is no list of calls
  json message;           ///< as the teacher wrote it
};

struct Rejection {
  std::string kind;
  std::string reason;
};

json to_request(const Example& example) {
  json request = {{"messages", task::messages_to_json(example.messages)}};
  for (json& message : request["messages"]) message.erase("weight");
  if (example.tools) request["tools"] = task::tools_to_json(*example.tools);
  if (example.calls) request["recorded"] = task::to_json(task::answer_of(example));
  return request;
}

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::variant<Reply, Rejection> read_reply(const Example& example, const json& answer) {
  if (const auto error = answer.find("error"); error != answer.end()) return Rejection{"teacher_error", *error};
  const json& choice = answer["choices"][0];
  const json& message = choice["message"];
  if (message.contains("refusal") && message["refusal"].is_string())
    return Rejection{"refused", message["refusal"].get<std::string>()};
  if (choice["finish_reason"] == "content_filter") return Rejection{"refused", "a content filter withheld the answer"};
  if (choice["finish_reason"] == "length") return Reply{{}, "", "the answer was cut off at the token limit", message};
  try {
    const json question = {{"role", "user"}, {"content", example.utterance()}};
    Example answered = task::from_row({{"messages", json::array({question, message})}});
    return Reply{std::move(*answered.calls), std::move(answered.text), "", message};
  } catch (const std::invalid_argument& error) {
    return Reply{{}, "", error.what(), message};
  }
}

/// What the teacher wrote, as text: its content, or its calls where it has none.
std::string text_of(const json& message) {
  const json content = message.value("content", json());
  if (content.is_string() && content != "") return content;
  return message.contains("tool_calls") ? dump(message["tool_calls"]) : std::string();
}

json to_item(const Example& example, const Reply& reply, const json& execution) {
  json item = {{"messages", task::messages_to_json(example.messages)}, {"text", text_of(reply.message)}};
  if (example.tools) item["tools"] = task::tools_to_json(*example.tools);
  item["response"] = reply.malformed.empty() ? json{{"calls", task::calls_to_json(reply.calls)}}
                                             : json{{"malformed", reply.malformed}};
  if (!execution.is_null()) item["execution"] = execution;
  return item;
}

Rejection rejection_of(const host::RewardItem& verdict, const json& execution) {
  if (!verdict.error.empty()) return {"reward_error", verdict.error};
  if (verdict.malformed) return {"malformed", verdict.reason};
  const bool failed = !execution.is_null() && !execution.value("ok", false);
  return {failed ? "execution" : "score", "score " + json(verdict.scores[0]).dump() + ": " + verdict.reason};
}

class Labeller {
 public:
  Labeller(const std::vector<task::Tool>& tools, const PrototypeComponents& components, const PrototypeOptions& options)
      : tools_(task::tools_to_json(tools).dump()), components_(components), options_(options) {}

  void label(const std::vector<Example>& examples, std::size_t begin, std::size_t end, Labelled& result) const {
    const std::vector<json> answers = ask(examples, begin, end);
    std::vector<Answered> answered;
    for (std::size_t i = begin; i < end; ++i) {
      auto reply = read_reply(examples[i], answers[i - begin]);
      if (const auto* rejection = std::get_if<Rejection>(&reply)) {
        reject(examples[i], i, *rejection, result);
      } else {
        answered.push_back({i, std::get<Reply>(std::move(reply)), nullptr});
      }
    }
    judge(examples, answered, result);
  }

 private:
  struct Answered {
    std::size_t row;
    Reply reply;
    json execution;  ///< null where nothing was executed
  };

  /// One answer a row: from the journal, or of the teacher.
  std::vector<json> ask(const std::vector<Example>& examples, std::size_t begin, std::size_t end) const {
    std::vector<json> answers(end - begin);
    std::vector<std::size_t> asked;
    std::vector<std::string> requests;
    std::string batch = "[";
    for (std::size_t i = begin; i < end; ++i) {
      std::string request = dump(to_request(examples[i]));
      if (options_.journal != nullptr) {
        if (auto known = options_.journal->find(i, request)) {
          answers[i - begin] = std::move(*known);
          continue;
        }
      }
      batch += (asked.empty() ? "" : ",") + request;
      asked.push_back(i);
      requests.push_back(std::move(request));
    }
    if (asked.empty()) return answers;
    components_.complete(tools_, batch + "]", asked.size(), [&](std::size_t index, json answer) {
      if (options_.journal != nullptr && !answer.contains("error"))
        options_.journal->add(asked[index], requests[index], answer);
      answers[asked[index] - begin] = std::move(answer);
    });
    if (options_.journal != nullptr) options_.journal->sync();
    return answers;
  }

  void judge(const std::vector<Example>& examples, std::vector<Answered>& answered, Labelled& result) const {
    if (answered.empty()) return;
    json items = json::array();
    for (Answered& one : answered) {
      const Example& example = examples[one.row];
      if (one.reply.malformed.empty()) one.execution = execute(one.reply.calls);
      items.push_back(to_item(example, one.reply, one.execution));
      if (!options_.reference || !example.calls) continue;
      items.back()["reference"] = {{"calls", task::calls_to_json(*example.calls)}};
      if (components_.execute) items.back()["reference_execution"] = execute(*example.calls);
    }
    std::vector<host::RewardItem> verdicts(answered.size());
    components_.score(tools_, dump(items), verdicts.size(),
                      [&](std::size_t index, host::RewardItem verdict) { verdicts[index] = std::move(verdict); });
    for (std::size_t k = 0; k < answered.size(); ++k) {
      const Example& example = examples[answered[k].row];
      const host::RewardItem& verdict = verdicts[k];
      if (verdict.error.empty() && !verdict.malformed && verdict.scores[0] >= options_.threshold)
        result.accepted.push_back(accepted(example, answered[k].reply));
      else
        reject(example, answered[k].row, rejection_of(verdict, answered[k].execution), result);
    }
  }

  json execute(const std::vector<task::Call>& calls) const {
    return components_.execute ? components_.execute(task::calls_to_json(calls)) : json();
  }

  static Example accepted(const Example& example, const Reply& reply) {
    Example labelled = example;
    labelled.calls = reply.calls;
    labelled.text = reply.text;
    return labelled;
  }

  static void reject(const Example& example, std::size_t index, const Rejection& rejection, Labelled& result) {
    result.rejected.push_back({static_cast<std::int64_t>(index + 1), rejection.kind + ": " + rejection.reason,
                               task::to_row(example).dump(-1, ' ', false, json::error_handler_t::replace)});
    ++result.rejected_by[rejection.kind];
  }

  std::string tools_;
  const PrototypeComponents& components_;
  const PrototypeOptions& options_;
};

}  // namespace

Labelled label(const std::vector<Example>& examples, const std::vector<task::Tool>& tools,
               const PrototypeComponents& components, const PrototypeOptions& options,
               const std::function<void(std::size_t done)>& progress) {
  const Labeller labeller(tools, components, options);
  const std::size_t batch = std::max<std::size_t>(options.batch_size, 1);
  Labelled result;
  for (std::size_t begin = 0; begin < examples.size(); begin += batch) {
    const std::size_t end = std::min(begin + batch, examples.size());
    labeller.label(examples, begin, end, result);
    progress(end);
  }
  return result;
}

}  // namespace retort::stages
