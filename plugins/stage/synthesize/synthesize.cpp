// See synthesize.h. A batch goes through the steps together, so that each step is one batch for the teacher.
#include "synthesize.h"

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <unordered_set>
#include <utility>

#include "../../common/placeholders.h"
#include "data/text_words.h"
#include "task/chat_row.h"

namespace retort::stages {
namespace {

using nlohmann::json;

constexpr std::size_t requests_a_try = 64;  ///< numbers of one try in the journal

std::string dumped_json(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n"), end = text.find_last_not_of(" \t\r\n");
  return begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
}

/// One try of one row.
struct Try {
  std::size_t row = 0;
  std::int64_t attempt = 0;
  RowPlan plan;
  std::string task_text;
  task::Conversation conversation;
  std::function<json(const json&)> execute;
  std::size_t requests = 0;  ///< asked so far
  bool open = true;          ///< another answer is wanted
  std::string failed;        ///< "step: reason"
};

/// What the teacher is asked for a try: chat messages, with or without tools.
struct Question {
  Try* asker;
  json request;
};

class Synthesis {
 public:
  Synthesis(const SynthesisOptions& options, const SynthesisComponents& components)
      : options_(options), components_(components) {}
  const TeacherCost& cost() const { return cost_; }

  void run_batch(std::vector<Try>& tries) {
    ask_text(
        tries, "task",
        [&](const Try& one) {
          return prompts::filled(options_.prompts.task.at(one.plan.kind), placeholders(one.plan, options_.tools));
        },
        [](Try& one, const std::string& text) { one.task_text = text; });
    ask_text(
        tries, "utterance",
        [&](const Try& one) {
          auto values = placeholders(one.plan, options_.tools);
          values["task"] = one.task_text;
          return prompts::filled(options_.prompts.utterance, values);
        },
        [&](Try& one, const std::string& text) { begin(one, text); });
    for (std::int64_t step = 0; step < options_.most_steps; ++step) {
      ask_answers(tries);
      give_results(tries);
    }
    for (Try& one : tries) check(one);
  }

 private:
  static bool goes_on(const Try& one) { return one.failed.empty(); }

  /// One item a question, from the journal or of the teacher.
  std::vector<json> ask(std::vector<Question>& questions) {
    std::vector<TeacherRequest> requests;
    for (Question& question : questions) {
      Try& one = *question.asker;
      const std::size_t row = one.row * static_cast<std::size_t>(options_.attempts);
      const std::size_t place = (row + static_cast<std::size_t>(one.attempt)) * requests_a_try + one.requests++;
      requests.push_back({place, std::move(question.request)});
    }
    return stages::ask(components_.complete, "", requests, options_.journal, cost_);
  }

  /// The assistant's message of an item, or why there is none.
  static std::optional<json> message_of(const json& answer, std::string& why) {
    if (answer.contains("error")) {
      why = answer["error"].is_string() ? answer["error"].get<std::string>() : dumped_json(answer["error"]);
      return std::nullopt;
    }
    const json& choice = answer.at("choices").at(0);
    if (choice.value("finish_reason", "") == "length" || choice.value("finish_reason", "") == "content_filter") {
      why = "the answer ended with \"" + choice["finish_reason"].get<std::string>() + "\"";
      return std::nullopt;
    }
    return choice.at("message");
  }

  template <typename Prompt, typename Take>
  void ask_text(std::vector<Try>& tries, const std::string& step, const Prompt& prompt, const Take& take) {
    std::vector<Question> questions;
    for (Try& one : tries)
      if (goes_on(one))
        questions.push_back({&one,
                             {{"messages", json::array({{{"role", "user"}, {"content", prompt(one)}}})},
                              {"temperature", options_.temperature},
                              {"seed", static_cast<std::int64_t>(
                                           (options_.seed + one.row * 7919 + static_cast<std::uint64_t>(one.attempt)) &
                                           0x7FFFFFFFU)}}});
    const std::vector<json> answers = ask(questions);
    for (std::size_t i = 0; i < questions.size(); ++i) {
      Try& one = *questions[i].asker;
      std::string why;
      const auto message = message_of(answers[i], why);
      std::string text = message && message->value("content", json()).is_string() ? trimmed((*message)["content"]) : "";
      if (text.size() > 1 && text.front() == '"' && text.back() == '"') text = trimmed(text.substr(1, text.size() - 2));
      if (text.empty())
        one.failed = step + ": " + (why.empty() ? "expected text, found none" : why);
      else
        take(one, text);
    }
  }

  void begin(Try& one, const std::string& utterance) {
    for (const std::size_t tool : one.plan.tools)
      if (options_.tools[tool].name.find('_') != std::string::npos &&
          utterance.find(options_.tools[tool].name) != std::string::npos) {
        one.failed = "utterance: it names the tool " + options_.tools[tool].name;
        return;
      }
    one.conversation.messages.push_back({.role = task::Role::user, .content = utterance});
    std::vector<std::size_t> numbers = one.plan.tools;
    numbers.insert(numbers.end(), one.plan.distractors.begin(), one.plan.distractors.end());
    std::vector<task::Tool> tools;
    for (const std::size_t number : numbers)
      if (std::none_of(tools.begin(), tools.end(),
                       [&](const task::Tool& known) { return known.name == options_.tools[number].name; }))
        tools.push_back(options_.tools[number]);
    one.conversation.tools = std::make_shared<const std::vector<task::Tool>>(std::move(tools));
    if (components_.start) one.execute = components_.start();
  }

  json answer_request(const Try& one) const {
    json messages = json::array();
    if (!options_.prompts.answer.empty())
      messages.push_back({{"role", "system"}, {"content", options_.prompts.answer}});
    for (const json& message : task::messages_to_json(one.conversation.messages)) messages.push_back(message);
    return {{"messages", messages}, {"tools", task::tools_to_json(*one.conversation.tools)}, {"temperature", 0}};
  }

  void ask_answers(std::vector<Try>& tries) {
    std::vector<Question> questions;
    for (Try& one : tries)
      if (goes_on(one) && one.open) questions.push_back({&one, answer_request(one)});
    const std::vector<json> answers = ask(questions);
    for (std::size_t i = 0; i < questions.size(); ++i) take_answer(*questions[i].asker, answers[i]);
  }

  static void take_answer(Try& one, const json& answer) {
    std::string why;
    const auto message = message_of(answer, why);
    if (!message) {
      one.failed = "answer: " + why;
      return;
    }
    try {
      json messages = task::messages_to_json(one.conversation.messages);
      messages.push_back(*message);
      task::ReadingNotes ignored;
      one.conversation.messages = task::messages_from_json(messages, "answer", "", ignored);
      if (one.conversation.messages.back().role != task::Role::assistant)
        one.failed = "answer: expected a message of the assistant";
    } catch (const std::invalid_argument& error) {
      one.failed = std::string("answer: ") + error.what();
    }
    one.open = false;
  }

  /// Results of the calls where more is to come: of the environment, or as the teacher imagines them.
  void give_results(std::vector<Try>& tries) {
    std::vector<Question> questions;
    for (Try& one : tries) {
      if (!goes_on(one) || one.open || one.conversation.messages.back().tool_calls.empty()) continue;
      const task::Message last = one.conversation.messages.back();
      if (const auto reason = impossible(last, *one.conversation.tools)) {
        one.failed = "check: " + *reason;
        continue;
      }
      const bool more = one.plan.kind == RowKind::multi_step;
      if (one.execute) {
        const json outcome = one.execute(task::calls_to_json(task::calls_of(last)));
        if (outcome.value("ok", false) != true)
          one.failed = "execution: " + (outcome.value("error", json()).is_string() ? outcome["error"].get<std::string>()
                                                                                   : dumped_json(outcome));
        else if (more)
          for (std::size_t c = 0; c < last.tool_calls.size(); ++c)
            add_result(one, last.tool_calls[c].id, outcome["results"][c].value("content", ""));
      } else if (more) {
        for (const task::IdentifiedCall& call : last.tool_calls)
          questions.push_back(
              {&one,
               {{"messages",
                 json::array(
                     {{{"role", "user"},
                       {"content", prompts::filled(options_.prompts.result,
                                                   {{"call", dumped_json({{"name", call.call.name},
                                                                          {"arguments", call.call.arguments}})}})}}})},
                {"temperature", 0}}});
      }
    }
    imagine(questions);
  }

  /// Results as the teacher tells them; a try's questions stand in the order of its calls.
  void imagine(std::vector<Question>& questions) {
    const std::vector<json> answers = ask(questions);
    std::map<const Try*, std::size_t> given;
    for (std::size_t i = 0; i < questions.size(); ++i) {
      Try& one = *questions[i].asker;
      std::string why;
      const auto message = message_of(answers[i], why);
      if (!message || !message->value("content", json()).is_string()) {
        one.failed = "result: " + (why.empty() ? "expected text, found none" : why);
        continue;
      }
      if (!goes_on(one)) continue;
      const std::size_t results = given[&one]++;
      const auto& messages = one.conversation.messages;
      const task::Message& calling = messages[messages.size() - 1 - results];
      add_result(one, calling.tool_calls[results].id, (*message)["content"]);
    }
  }

  static std::optional<std::string> impossible(const task::Message& message, const std::vector<task::Tool>& tools) {
    for (const task::IdentifiedCall& call : message.tool_calls)
      if (auto reason = task::invalid_reason(call.call, tools)) return reason;
    return std::nullopt;
  }

  static void add_result(Try& one, const std::string& id, const std::string& content) {
    task::Message result{.role = task::Role::tool, .content = content};
    result.tool_call_id = id;
    one.conversation.messages.push_back(result);
    one.open = true;
  }

  void check(Try& one) const {
    if (!one.failed.empty()) return;
    while (!one.conversation.messages.empty() && one.conversation.messages.back().role == task::Role::tool)
      one.conversation.messages.pop_back();  // nothing was left to answer it
    const std::string reason = unlike_plan(one.conversation, one.plan, options_.tools);
    if (!reason.empty()) one.failed = "check: " + reason;
    if (one.plan.kind == RowKind::no_call) one.conversation.messages.back().content.clear();
  }

  const SynthesisOptions& options_;
  const SynthesisComponents& components_;
  TeacherCost cost_;
};

/// Metadata, another order of tools, names that say nothing.
void dress(const SynthesisOptions& options, Try& one, SynthesisReport& report) {
  Draws draws(options.seed ^ 0x6D61736BULL, one.row);
  const bool shuffled = draws.share() < options.shuffled_share, masked = draws.share() < options.masked_share;
  one.conversation.metadata = {{"kind", name_of(one.plan.kind)}, {"task", one.task_text}};
  for (const auto& [key, text] : {std::pair("persona", one.plan.persona), std::pair("topic", one.plan.topic),
                                  std::pair("attribute", one.plan.attribute)})
    if (!text.empty()) one.conversation.metadata[key] = text;
  if (shuffled) {
    shuffle_tools(one.conversation, draws);
    ++report.shuffled;
  }
  if (masked && mask_names(one.conversation, draws) > 0) {
    one.conversation.metadata["masked"] = true;
    ++report.masked;
  }
  for (std::size_t i = 0; i + 1 < one.conversation.messages.size(); ++i) one.conversation.messages[i].learnt = true;
}

}  // namespace

std::string unlike_plan(const task::Conversation& conversation, const RowPlan& plan,
                        const std::vector<task::Tool>& tools) {
  std::vector<std::string> called, wanted;
  std::size_t calling_turns = 0;
  const task::Call* first = nullptr;
  for (const task::Message& message : conversation.messages) {
    calling_turns += message.tool_calls.empty() ? 0 : 1;
    for (const task::IdentifiedCall& one : message.tool_calls) {
      if (first == nullptr) first = &one.call;
      called.push_back(one.call.name);
    }
  }
  const task::Message& last = conversation.messages.back();
  if (plan.kind == RowKind::missing_argument || plan.kind == RowKind::no_call || plan.kind == RowKind::text_reply) {
    if (!called.empty()) return "expected no call, found one of " + called[0];
    const bool text = plan.kind != RowKind::no_call;
    return text && last.content.empty() ? "expected a text, found none" : "";
  }
  for (const std::size_t tool : plan.tools) wanted.push_back(tools[tool].name);
  if (plan.kind == RowKind::multi_step) {
    if (calling_turns < 2) return "expected calls in two turns, found " + std::to_string(calling_turns);
  } else if (calling_turns != 1) {
    return "expected calls in one turn, found " + std::to_string(calling_turns);
  }
  const auto listed = [](const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text.empty() ? std::string("none") : text;
  };
  std::vector<std::string> a = called, b = wanted;
  if (plan.kind != RowKind::multi_step) {
    std::sort(a.begin(), a.end());
    std::sort(b.begin(), b.end());
  }
  if (a != b) return "expected calls of " + listed(wanted) + ", found " + listed(called);
  // The drawn values are those of the first tool; where it is called twice, one of the calls has them.
  if (plan.kind == RowKind::parallel && std::count(called.begin(), called.end(), wanted[0]) > 1) return "";
  const task::Call* planned = nullptr;
  for (const task::Message& message : conversation.messages)
    for (const task::IdentifiedCall& one : message.tool_calls)
      if (planned == nullptr && one.call.name == wanted[0]) planned = &one.call;
  for (const auto& [argument, value] : plan.values)
    if (const json found = planned->arguments.value(argument, json()); found != value)
      return "expected " + argument + ": " + dumped_json(value) + ", found " + dumped_json(found);
  return "";
}

SynthesisReport synthesize(const SynthesisOptions& options, const SynthesisComponents& components,
                           const std::function<void(std::size_t, const task::Conversation&)>& take,
                           const std::function<void(std::size_t, const std::string&, const std::string&)>& reject,
                           const std::function<void(std::size_t)>& progress) {
  const std::vector<RowKind> kinds =
      kinds_of_rows(options.quotas, possible_kinds(options.tools), options.rows, options.seed);
  SynthesisReport report;
  std::unordered_set<std::uint64_t> said;
  Synthesis synthesis(options, components);
  const std::size_t batch = std::max<std::size_t>(options.batch_size, 1);
  for (std::size_t begin = 0; begin < options.rows; begin += batch) {
    const std::size_t end = std::min(begin + batch, options.rows);
    std::map<std::size_t, Try> good;
    for (std::int64_t attempt = 0; attempt < options.attempts; ++attempt) {
      std::vector<Try> tries;
      for (std::size_t row = begin; row < end; ++row) {
        if (good.contains(row)) continue;
        Draws draws(options.seed + static_cast<std::uint64_t>(attempt) * 0x9E37U, row + 1);
        Try one;
        one.row = row;
        one.attempt = attempt;
        one.plan = plan_of(kinds[row], options.tools, options.samplers, draws);
        tries.push_back(std::move(one));
      }
      synthesis.run_batch(tries);
      for (Try& one : tries) {
        const std::vector<std::string> words = data::words_of(one.conversation);
        if (one.failed.empty() && !said.insert(data::hash_of(words, 0, words.size())).second)
          one.failed = "duplicate: an earlier row says the same words";
        if (one.failed.empty()) {
          good.emplace(one.row, std::move(one));
          continue;
        }
        ++report.rejected[one.failed.substr(0, one.failed.find(':'))];
        if (report.first_reason.empty()) report.first_reason = one.failed;
        reject(one.row, one.failed,
               one.conversation.messages.empty() ? one.task_text : dumped_json(task::to_row(one.conversation)));
      }
      if (good.size() == end - begin) break;
    }
    report.given_up += static_cast<std::int64_t>(end - begin - good.size());
    for (auto& [row, one] : good) {
      dress(options, one, report);
      ++report.kept[std::string(name_of(one.plan.kind))];
      take(row, one.conversation);
    }
    report.tried = end;
    progress(end);
    if (static_cast<double>(report.given_up) > options.given_up_share * static_cast<double>(options.rows)) break;
  }
  report.cost = synthesis.cost();
  return report;
}

}  // namespace retort::stages
