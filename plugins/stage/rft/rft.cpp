#include "rft.h"

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

#include "task/chat_row.h"

namespace retort::stages {
namespace {

using nlohmann::json;
using task::Example;

/// An answer that the reward accepted.
struct Accepted {
  json calls;
  json turns;  ///< null: one answer
  double score = 0;
  std::int64_t round = 0;
};

/// What one prompt has come to.
struct Prompt {
  std::vector<Accepted> accepted;
  std::set<std::string> seen;  ///< calls that were scored, as text
  std::string impossible;      ///< why the model cannot be asked
  std::string latest;          ///< why the last answer was not accepted
};

std::string text_of(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// What tells an answer from another one to the same prompt.
std::string made_by(const SampledTurns& answer) {
  const json calls = task::calls_to_json(std::get<std::vector<task::Call>>(answer.parsed));
  return text_of(answer.turns.empty() ? calls
                                      : json{{"turns", task::messages_to_json(answer.turns)}, {"calls", calls}});
}

/// A row for each of its answers.
void add_rows(const Accepted& one, const Example& prompt, std::vector<Example>& rows) {
  Example row = prompt;
  row.text.clear();
  row.metadata["rft"] = {{"round", one.round}, {"score", one.score}};
  std::int64_t turn = 0;
  const auto add = [&](std::vector<task::Call> calls) {
    row.calls = std::move(calls);
    if (!one.turns.is_null()) row.metadata["rft"]["turn"] = ++turn;
    rows.push_back(row);
  };
  if (!one.turns.is_null()) {
    task::ReadingNotes notes;
    for (const task::Message& message : task::messages_from_json(one.turns, "an accepted answer", "", notes)) {
      if (message.role == task::Role::assistant) add(task::calls_of(message));
      row.messages.push_back(message);
    }
  }
  add(task::calls_from_json(one.calls, "an accepted answer"));
}

class Sampler {
 public:
  Sampler(const std::vector<Example>& prompts, const std::vector<task::Tool>& tools, const SampleAnswers& sample,
          const train::RewardFunction& reward, const RftOptions& options, AnswerJournal* journal)
      : prompts_(prompts), tools_(tools), sample_(sample), reward_(reward), options_(options), journal_(journal) {
    found_.resize(prompts.size());
  }

  void ask(std::size_t index, std::int64_t round, RftResult& result) {
    Prompt& prompt = found_[index];
    const bool enough = options_.keep > 0 && static_cast<std::int64_t>(prompt.accepted.size()) >= options_.keep;
    if (enough || !prompt.impossible.empty()) return;
    const std::size_t row = static_cast<std::size_t>(round) * prompts_.size() + index;
    const std::string request = request_of(index, round);
    std::optional<json> outcome = journal_ != nullptr ? journal_->find(row, request) : std::nullopt;
    if (!outcome) {
      outcome = outcome_of(index, round);
      if (journal_ != nullptr) journal_->add(row, request, *outcome);
    }
    take(*outcome, round, prompt, result);
  }

  void finish(RftResult& result) {
    for (std::size_t i = 0; i < prompts_.size(); ++i) {
      std::vector<Accepted>& accepted = found_[i].accepted;
      std::stable_sort(accepted.begin(), accepted.end(),
                       [](const Accepted& a, const Accepted& b) { return a.score > b.score; });
      if (options_.keep > 0 && static_cast<std::int64_t>(accepted.size()) > options_.keep)
        accepted.resize(static_cast<std::size_t>(options_.keep));
      for (const Accepted& one : accepted) add_rows(one, prompts_[i], result.rows);
      if (accepted.empty()) leave(i, result);
    }
  }

  std::int64_t solved() const {
    return std::count_if(found_.begin(), found_.end(), [](const Prompt& prompt) { return !prompt.accepted.empty(); });
  }

 private:
  double temperature(std::int64_t round) const {
    return options_.temperature + options_.temperature_step * static_cast<double>(round);
  }
  std::uint64_t seed(std::size_t index, std::int64_t round) const {
    const auto asked = static_cast<std::uint64_t>(round) * prompts_.size() + index;
    return options_.seed * 0x9E3779B97F4A7C15ULL + asked * static_cast<std::uint64_t>(options_.samples);
  }
  /// All that an outcome depends on but model and reward, which make the work folder another.
  std::string request_of(std::size_t index, std::int64_t round) const {
    return text_of({task::to_row(prompts_[index]), round, options_.samples, temperature(round), seed(index, round),
                    options_.threshold, options_.reward_weights, options_.max_turns, json(found_[index].seen)});
  }

  /// {"impossible"} or {"sampled", "malformed", "duplicates", "unscored", "refused", "seen", "accepted", "latest"}
  json outcome_of(std::size_t index, std::int64_t round) const {
    std::vector<SampledTurns> answers;
    try {
      answers = sample_(prompts_[index], options_.samples, temperature(round), seed(index, round));
    } catch (const std::invalid_argument& error) {
      return {{"impossible", error.what()}};
    }
    json outcome = {{"sampled", answers.size()},
                    {"malformed", 0},
                    {"duplicates", 0},
                    {"unscored", 0},
                    {"refused", 0},
                    {"latest", ""},
                    {"seen", json::array()},
                    {"accepted", json::array()}};
    std::set<std::string> seen = found_[index].seen;
    std::vector<train::SampledAnswer> different;
    for (const SampledTurns& answer : answers) {
      if (const auto* malformed = std::get_if<task::Malformed>(&answer.parsed)) {
        count(outcome, "malformed");
        outcome["latest"] = "malformed: " + malformed->reason;
      } else if (const std::string made = made_by(answer); !seen.insert(made).second) {
        count(outcome, "duplicates");
      } else {
        outcome["seen"].push_back(made);
        different.push_back({&prompts_[index], 0, answer.parsed, answer.text, answer.turns, answer.execution});
      }
    }
    if (!different.empty()) judge(different, outcome);
    return outcome;
  }

  static void count(json& outcome, const char* what) { outcome[what] = outcome[what].get<std::int64_t>() + 1; }

  /// Adds to "accepted", "refused", "unscored" and "latest".
  void judge(const std::vector<train::SampledAnswer>& answers, json& outcome) const {
    const std::vector<host::RewardItem> verdicts = reward_(tools_, answers);
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const host::RewardItem& verdict = verdicts.at(i);
      if (!verdict.error.empty()) {
        count(outcome, "unscored");
        outcome["latest"] = "not scored: " + verdict.error;
        continue;
      }
      const double score = train::combined_score(verdict.scores, options_.reward_weights);
      if (!verdict.malformed && score >= options_.threshold) {
        json accepted = {{"calls", task::calls_to_json(std::get<std::vector<task::Call>>(answers[i].response))},
                         {"score", score}};
        if (!answers[i].turns.empty()) accepted["turns"] = task::messages_to_json(answers[i].turns);
        outcome["accepted"].push_back(std::move(accepted));
      } else {
        count(outcome, "refused");
        outcome["latest"] = "score " + json(score).dump() + (verdict.reason.empty() ? "" : ": " + verdict.reason);
      }
    }
  }

  static void take(const json& outcome, std::int64_t round, Prompt& prompt, RftResult& result) {
    if (outcome.contains("impossible")) {
      prompt.impossible = outcome["impossible"].get<std::string>();
      return;
    }
    result.sampled += outcome["sampled"].get<std::int64_t>();
    result.malformed += outcome["malformed"].get<std::int64_t>();
    result.duplicates += outcome["duplicates"].get<std::int64_t>();
    result.unscored += outcome["unscored"].get<std::int64_t>();
    result.refused += outcome["refused"].get<std::int64_t>();
    for (const json& calls : outcome["seen"]) prompt.seen.insert(calls.get<std::string>());
    for (const json& one : outcome["accepted"])
      prompt.accepted.push_back({one["calls"], one.value("turns", json()), one["score"].get<double>(), round});
    if (const auto why = outcome["latest"].get<std::string>(); !why.empty()) prompt.latest = why;
  }

  /// A prompt without an accepted answer.
  void leave(std::size_t index, RftResult& result) const {
    const Prompt& prompt = found_[index];
    if (options_.unsolved == "label" && prompts_[index].calls) {
      result.rows.push_back(prompts_[index]);
      return;
    }
    const std::string why = prompt.impossible.empty() ? "no answer was accepted; the last one: " + prompt.latest
                                                      : "cannot be asked: " + prompt.impossible;
    result.rejected.push_back({static_cast<std::int64_t>(index + 1), why, text_of(task::to_row(prompts_[index]))});
  }

  const std::vector<Example>& prompts_;
  const std::vector<task::Tool>& tools_;
  const SampleAnswers& sample_;
  const train::RewardFunction& reward_;
  const RftOptions& options_;
  AnswerJournal* journal_;
  std::vector<Prompt> found_;
};

}  // namespace

RftResult rejection_sample(const std::vector<Example>& prompts, const std::vector<task::Tool>& tools,
                           const SampleAnswers& sample, const train::RewardFunction& reward, const RftOptions& options,
                           AnswerJournal* journal, const std::function<void(std::int64_t, std::size_t)>& progress) {
  Sampler sampler(prompts, tools, sample, reward, options, journal);
  RftResult result;
  for (std::int64_t round = 0; round < options.rounds; ++round) {
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      progress(round, i);
      sampler.ask(i, round, result);
    }
    if (journal != nullptr) journal->sync();
    result.solved_by_round.push_back(sampler.solved());
  }
  result.solved = sampler.solved();
  sampler.finish(result);
  return result;
}

}  // namespace retort::stages
