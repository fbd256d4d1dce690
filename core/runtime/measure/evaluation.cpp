#include "runtime/measure/evaluation.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>

namespace retort::runtime {
namespace {

constexpr std::int64_t kWarmUp = 20;
constexpr const char* kNoCall = "(none)";

/// Nearest-rank percentile of sorted values.
double percentile(const std::vector<double>& sorted, double share) {
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::max<std::size_t>(rank, 1) - 1];
}

std::set<std::string> tools_of(const std::vector<task::Call>& calls) {
  if (calls.empty()) return {kNoCall};
  std::set<std::string> names;
  for (const task::Call& call : calls) names.insert(call.name);
  return names;
}

/// What is wrong with a parsed response; nothing if it is right.
std::optional<std::string> miss_reason(const task::ParsedResponse& parsed, bool cut,
                                       const std::vector<task::Call>& expected) {
  if (const auto* malformed = std::get_if<task::Malformed>(&parsed))
    return (cut ? "cut short: " : "malformed: ") + malformed->reason;
  const auto& found = std::get<std::vector<task::Call>>(parsed);
  if (task::exact_match(found, expected)) return std::nullopt;
  if (found.size() != expected.size()) {
    return "expected " + std::to_string(expected.size()) + " calls, found " + std::to_string(found.size());
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i].name != expected[i].name) return "expected tool " + expected[i].name + ", found " + found[i].name;
    if (found[i].arguments != expected[i].arguments) return "other arguments of " + expected[i].name;
  }
  return "other calls";
}

/// An utterance that cannot be answered (its prompt is too long) counts as malformed: one bad row must not end the
/// rest.
Answer answer_or_malformed(CallModel& model, const LabelledUtterance& row) {
  try {
    return row.conversation.messages.empty() ? model.answer(row.utterance) : model.answer(row.conversation);
  } catch (const std::invalid_argument& error) {
    Answer refused;
    refused.parsed = task::Malformed{error.what()};
    return refused;
  }
}

void warm_up(CallModel& model, const std::vector<LabelledUtterance>& data) {
  for (std::int64_t i = 0; i < kWarmUp; ++i) {
    answer_or_malformed(model, data[static_cast<std::size_t>(i) % data.size()]);
  }
}

void summarize(Evaluation& result, std::vector<double> milliseconds, std::int64_t exact, std::int64_t malformed,
               std::int64_t cut) {
  const auto count = static_cast<double>(result.utterances);
  result.exact_match = static_cast<double>(exact) / count;
  result.malformed = static_cast<double>(malformed) / count;
  result.cut = static_cast<double>(cut) / count;
  std::sort(milliseconds.begin(), milliseconds.end());
  result.p50_ms = percentile(milliseconds, 0.50);
  result.p90_ms = percentile(milliseconds, 0.90);
  result.p99_ms = percentile(milliseconds, 0.99);
}

}  // namespace

Evaluation evaluate(CallModel& model, const std::vector<LabelledUtterance>& data,
                    const std::function<bool(std::int64_t, std::int64_t)>& progress) {
  if (data.empty()) throw std::invalid_argument("evaluate: expected at least one labelled utterance, found none");
  warm_up(model, data);
  Evaluation result;
  std::vector<double> milliseconds;
  std::int64_t exact = 0, malformed = 0, cut = 0;
  const auto total = static_cast<std::int64_t>(data.size());
  for (const LabelledUtterance& row : data) {
    Answer answer = answer_or_malformed(model, row);
    milliseconds.push_back(answer.milliseconds);
    const std::optional<std::string> reason = miss_reason(answer.parsed, answer.cut, row.calls);
    const auto count = [&reason](Score& score) {
      ++score.utterances;
      if (!reason) ++score.exact;
    };
    for (const std::string& tool : tools_of(row.calls)) count(result.tools[tool]);
    for (const std::string& group : row.groups) count(result.groups[group]);
    if (std::holds_alternative<task::Malformed>(answer.parsed)) ++(answer.cut ? cut : malformed);
    if (reason) {
      result.misses.push_back({row.utterance, row.calls, answer.text, *reason});
    } else {
      ++exact;
    }
    result.responses.push_back(std::move(answer.tokens));
    ++result.utterances;
    if (progress && !progress(result.utterances, total)) {
      throw std::runtime_error("evaluate: stopped after " + std::to_string(result.utterances) + " of " +
                               std::to_string(total) + " utterances");
    }
  }
  summarize(result, std::move(milliseconds), exact, malformed, cut);
  return result;
}

}  // namespace retort::runtime
