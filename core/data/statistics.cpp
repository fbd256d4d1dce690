// Counts, and how they are shown.
#include "data/statistics.h"

#include <algorithm>
#include <iomanip>
#include <sstream>

#include "data/text_words.h"
#include "host/base/printable.h"

namespace retort::data {
namespace {

constexpr std::size_t most_words = 1000;

std::uint64_t answer_hash(const task::Conversation& conversation) {
  return hash_of({answer_text(conversation), labelled(conversation) ? "1" : "0"}, 0, 2);
}

double share_of(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::int64_t all_calls(const SplitStatistics& split) {
  std::int64_t calls = 0;
  for (const auto& [name, tool] : split.tools) calls += tool.calls;
  return calls;
}

void count_answer(const task::Conversation& conversation, SplitStatistics& split) {
  if (!labelled(conversation)) {
    ++split.unlabelled;
    return;
  }
  const task::Message& answer = conversation.messages.back();
  ++split.calls_per_answer[answer.tool_calls.size()];
  if (answer.tool_calls.empty()) ++split.no_call;
  for (const task::IdentifiedCall& one : answer.tool_calls) {
    ToolCount& tool = split.tools[one.call.name];
    ++tool.calls;
    for (const auto& argument : one.call.arguments.items()) ++tool.arguments[argument.key()];
  }
}

/// More than a question and its answer.
bool has_context(const task::Conversation& conversation) {
  return conversation.messages.size() > (labelled(conversation) ? 2U : 1U);
}

}  // namespace

std::size_t quantile(const std::map<std::size_t, std::int64_t>& counts, double share) {
  std::int64_t all = 0;
  for (const auto& [value, count] : counts) all += count;
  std::int64_t seen = 0;
  for (const auto& [value, count] : counts) {
    seen += count;
    if (static_cast<double>(seen) >= share * static_cast<double>(all)) return value;
  }
  return 0;
}

void Statistics::take(const DataRow& row) {
  if (splits_.empty() || splits_.back().first != row.split) splits_.emplace_back(row.split, SplitStatistics());
  SplitStatistics& split = splits_.back().second;
  const auto number = static_cast<std::uint32_t>(splits_.size() - 1);
  if (!row.reason.empty()) {
    split.rows.reject(row.reason);
    return;
  }
  split.rows.keep();
  count_answer(row.conversation, split);
  if (has_context(row.conversation)) ++split.with_context;
  if (row.conversation.tools) ++split.own_tools;
  const std::vector<std::string> words = words_of(row.conversation);
  ++split.words_per_row[std::min(words.size(), most_words)];
  const std::uint64_t answer = answer_hash(row.conversation);
  const auto [known, fresh] = known_.try_emplace(hash_of(words, 0, words.size()), Known{number, answer});
  if (fresh) return;
  if (known->second.split != number)
    ++split.in_earlier;
  else if (known->second.answer == answer)
    ++split.repeated;
  if (known->second.answer != answer) ++split.contradicting;
}

nlohmann::json to_json(const std::vector<std::pair<std::string, SplitStatistics>>& splits) {
  nlohmann::json result = {{"splits", nlohmann::json::object()}};
  for (const auto& [name, split] : splits) {
    nlohmann::json tools = nlohmann::json::object(), calls = nlohmann::json::object();
    for (const auto& [tool, count] : split.tools)
      tools[tool] = {
          {"calls", count.calls}, {"share", share_of(count.calls, all_calls(split))}, {"arguments", count.arguments}};
    for (const auto& [count, rows] : split.calls_per_answer) calls[std::to_string(count)] = rows;
    result["splits"][name] = {{"rows", split.rows.kept()},
                              {"rejected", split.rows.rejected()},
                              {"unlabelled", split.unlabelled},
                              {"no_call", split.no_call},
                              {"with_context", split.with_context},
                              {"own_tools", split.own_tools},
                              {"repeated", split.repeated},
                              {"in_earlier_splits", split.in_earlier},
                              {"contradicting", split.contradicting},
                              {"calls_per_answer", calls},
                              {"words",
                               {{"median", quantile(split.words_per_row, 0.5)},
                                {"p95", quantile(split.words_per_row, 0.95)},
                                {"longest", quantile(split.words_per_row, 1)}}},
                              {"tools", tools}};
  }
  return result;
}

std::string to_text(const std::vector<std::pair<std::string, SplitStatistics>>& splits, std::size_t most_tools) {
  std::ostringstream out;
  for (const auto& [name, split] : splits) {
    out << split.rows.summary(host::printable(name)) << "\n";
    out << "  answers: ";
    bool first = true;
    for (const auto& [count, rows] : split.calls_per_answer) {
      out << (first ? "" : ", ") << rows << " × " << count << (count == 1 ? " call" : " calls");
      first = false;
    }
    out << (first ? "none" : "")
        << (split.unlabelled > 0 ? "; " + std::to_string(split.unlabelled) + " unlabelled" : "") << "\n";
    out << "  words a row: median " << quantile(split.words_per_row, 0.5) << ", 95 % up to "
        << quantile(split.words_per_row, 0.95) << ", longest " << quantile(split.words_per_row, 1) << "\n";
    out << "  with a context: " << split.with_context << "; with tools of their own: " << split.own_tools
        << "; said before with the same answer: " << split.repeated << "; in earlier splits: " << split.in_earlier
        << "; said before with another answer: " << split.contradicting << "\n";
    std::vector<std::pair<std::int64_t, std::string>> tools;
    for (const auto& [tool, count] : split.tools) tools.emplace_back(-count.calls, tool);
    std::sort(tools.begin(), tools.end());
    const std::int64_t calls = all_calls(split);
    for (std::size_t i = 0; i < std::min(most_tools, tools.size()); ++i)
      out << "  " << std::setw(8) << -tools[i].first << std::setw(7) << std::fixed << std::setprecision(1)
          << 100 * share_of(-tools[i].first, calls) << " %  " << host::printable(tools[i].second) << "\n";
    if (tools.size() > most_tools) out << "  and " << tools.size() - most_tools << " more tools\n";
  }
  return out.str();
}

}  // namespace retort::data
