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
  std::string malformed;  ///< not empty: it is no list of calls
};

struct Rejection {
  std::string kind;
  std::string reason;
};

/// The component's answer, an array of `count` items.
json read_items(const std::string& text, std::size_t count, const std::string& component) {
  json items = json::parse(text, nullptr, false);
  if (items.is_array() && items.size() == count) return items;
  const std::string found = items.is_array() ? "an array of " + std::to_string(items.size()) : items.type_name();
  throw std::runtime_error(component + ": expected a JSON array of " + std::to_string(count) + " items, found " +
                           found + "; this is a fault of the component");
}

/// The request as text. `tools` is text already: it is the same in every request, and longer than all the rest.
std::string to_request(const Example& example, const std::string& tools) {
  const json row = task::to_row(example);
  json request = {{"messages", json::array({row["messages"][0]})}};
  if (example.calls) request["recorded"] = row["messages"][1];
  std::string text = request.dump();
  text.insert(text.size() - 1, ",\"tools\":" + tools);
  return text;
}

std::variant<Reply, Rejection> read_reply(const Example& example, const json& response) {
  if (!response.is_object() || (!response.contains("message") && !response.contains("error"))) {
    throw std::runtime_error("teacher: expected items with \"message\" or \"error\", found " + response.dump());
  }
  if (response.contains("error")) {
    const json& error = response["error"];
    return Rejection{"teacher_error", error.is_string() ? error.get<std::string>() : error.dump()};
  }
  const json& message = response["message"];
  if (message.is_object() && message.contains("refusal") && message["refusal"].is_string()) {
    return Rejection{"refused", message["refusal"].get<std::string>()};
  }
  try {
    const json question = {{"role", "user"}, {"content", example.utterance}};
    Example answered = task::from_row({{"messages", json::array({question, message})}});
    if (!answered.calls) return Reply{{}, "expected an assistant message"};
    return Reply{std::move(*answered.calls), ""};
  } catch (const std::invalid_argument& error) {
    return Reply{{}, error.what()};
  }
}

json to_item(const Example& example, const Reply& reply, const json* execution, const json* reference_execution) {
  json item = {{"prompt", example.utterance}};
  item["response"] = reply.malformed.empty() ? json{{"calls", task::calls_to_json(reply.calls)}}
                                             : json{{"malformed", reply.malformed}};
  if (execution != nullptr) item["execution"] = *execution;
  if (reference_execution != nullptr) item["reference_execution"] = *reference_execution;
  return item;
}

Rejection rejection_of(double score, const std::string& reason, const json* execution) {
  if (score < 0) return {"malformed", reason};
  const bool failed = execution != nullptr && !execution->value("ok", false);
  return {failed ? "execution" : "score", "score " + json(score).dump() + ": " + reason};
}

class Labeller {
 public:
  Labeller(const std::vector<task::Tool>& tools, const PrototypeComponents& components, const PrototypeOptions& options)
      : tools_(task::tools_to_json(tools).dump()), components_(components), options_(options) {}

  void label(const std::vector<Example>& examples, std::size_t begin, std::size_t end, Labelled& result) const {
    std::string requests = "[";
    for (std::size_t i = begin; i < end; ++i) requests += (i == begin ? "" : ",") + to_request(examples[i], tools_);
    const json responses = read_items(components_.complete(requests + "]"), end - begin, "teacher");
    std::vector<std::size_t> answered;
    std::vector<Reply> replies;
    for (std::size_t i = begin; i < end; ++i) {
      auto reply = read_reply(examples[i], responses[i - begin]);
      if (const auto* rejection = std::get_if<Rejection>(&reply)) {
        reject(examples[i], i, *rejection, result);
      } else {
        answered.push_back(i);
        replies.push_back(std::get<Reply>(std::move(reply)));
      }
    }
    judge(examples, answered, replies, result);
  }

 private:
  void judge(const std::vector<Example>& examples, const std::vector<std::size_t>& answered,
             const std::vector<Reply>& replies, Labelled& result) const {
    const json executions = execute(replies);
    const json reference_executions = execute_references(examples, answered);
    json items = json::array();
    for (std::size_t k = 0; k < answered.size(); ++k) {
      const Example& example = examples[answered[k]];
      const bool judged = options_.reference && example.calls;
      items.push_back(to_item(example, replies[k], executions.empty() ? nullptr : &executions[k],
                              judged && !reference_executions.empty() ? &reference_executions[k] : nullptr));
      if (judged) items.back()["reference"] = {{"calls", task::calls_to_json(*example.calls)}};
    }
    if (items.empty()) return;
    const json scores = read_items(components_.score(tools_, items.dump()), items.size(), "reward");
    for (std::size_t k = 0; k < answered.size(); ++k) {
      if (!scores[k].is_object() || !scores[k].contains("score") || !scores[k]["score"].is_number()) {
        throw std::runtime_error("reward: expected items with a number \"score\", found " + scores[k].dump());
      }
      const double score = scores[k]["score"];
      const Example& example = examples[answered[k]];
      if (score >= options_.threshold && score >= 0) {
        result.accepted.push_back({example.utterance, replies[k].calls, example.metadata});
      } else {
        const std::string reason = scores[k].value("reason", "");
        reject(example, answered[k], rejection_of(score, reason, executions.empty() ? nullptr : &executions[k]),
               result);
      }
    }
  }

  json execute(const std::vector<Reply>& replies) const {
    if (!components_.execute || replies.empty()) return json::array();
    json batches = json::array();
    for (const Reply& reply : replies) batches.push_back(task::calls_to_json(reply.calls));
    return read_items(components_.execute(batches.dump()), replies.size(), "environment");
  }

  json execute_references(const std::vector<Example>& examples, const std::vector<std::size_t>& answered) const {
    if (!options_.reference) return json::array();
    std::vector<Reply> references;
    for (const std::size_t i : answered)
      references.push_back({examples[i].calls.value_or(std::vector<task::Call>()), ""});
    return execute(references);
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
