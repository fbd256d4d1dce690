#include "train/corpus.h"

#include <algorithm>
#include <stdexcept>

namespace retort::train {
namespace {

/// "; line 3: …; line 9: …", the first three.
std::string first_reasons(const std::vector<std::string>& rejected) {
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(rejected.size(), 3); ++i) text += "; " + rejected[i];
  return text;
}

/// Throws std::invalid_argument with the reason why the sequence cannot be trained on.
void expect_usable(const Sequence& sequence, std::int64_t max_length) {
  expect_length(sequence, max_length);
  if (sequence.label_weight() == 0) throw std::invalid_argument("it has no token to learn from");
}

std::int64_t total_of(const std::map<std::string, std::int64_t>& counts) {
  std::int64_t total = 0;
  for (const auto& [what, count] : counts) total += count;
  return total;
}

/// What the form does not show of a row that it can show.
void count_losses(const task::Example& example, const task::PromptContract& contract, task::ReadingNotes& notes) {
  const task::Message answer = task::answer_of(example);
  for (const std::string& lost : contract.losses(example, &answer)) ++notes.losses[lost];
}

void report(const LabelledRows& rows, std::size_t usable, double max_rejected_share, const RunHooks& hooks) {
  const std::size_t total = usable + rows.rejected.size();
  const std::string found = rows.file.string() + ": " + std::to_string(rows.rejected.size()) + " of " +
                            std::to_string(total) + " rows cannot be used";
  if (usable == 0 || static_cast<double>(rows.rejected.size()) > max_rejected_share * static_cast<double>(total))
    throw std::runtime_error(found + ", more than max_rejected_share " + nlohmann::json(max_rejected_share).dump() +
                             " allows" + first_reasons(rows.rejected));
  if (!rows.rejected.empty()) hooks.log(found + first_reasons(rows.rejected));
  if (!rows.notes.conversions.empty())
    hooks.log(rows.file.string() + ": converted " + task::ReadingNotes::listed(rows.notes.conversions));
  if (!rows.notes.losses.empty())
    hooks.log(rows.file.string() + ": not learnt: " + task::ReadingNotes::listed(rows.notes.losses));
  if (rows.empty_answers > 0) {
    hooks.metric("empty_answers", -1, static_cast<double>(rows.empty_answers));
    hooks.log(rows.file.string() + ": " + std::to_string(rows.empty_answers) + " of " + std::to_string(total) +
              " rows have an empty answer (neither a call nor text), which is learnt as such: no call");
  }
  hooks.metric("examples", -1, static_cast<double>(usable));
  hooks.metric("rejected_rows", -1, static_cast<double>(rows.rejected.size()));
  if (rows.unlabelled > 0) hooks.metric("unlabelled_rows", -1, static_cast<double>(rows.unlabelled));
  if (!rows.notes.losses.empty()) hooks.metric("losses", -1, static_cast<double>(total_of(rows.notes.losses)));
}

}  // namespace

void expect_length(const Sequence& sequence, std::int64_t max_length) {
  if (static_cast<std::int64_t>(sequence.length()) > max_length)
    throw std::invalid_argument("it has " + std::to_string(sequence.length()) + " tokens, the model holds " +
                                std::to_string(max_length) + ": raise max_positions");
}

LabelledRows read_labelled_rows(const std::filesystem::path& file) {
  constexpr double any_share = 1.0;  // decided when all reasons are known
  task::Split split = task::read_split(file, any_share, task::Turns::all);
  LabelledRows rows{file, {}, {}, 0, split.tally.notes()};
  for (const task::RejectedRow& row : split.rejected)
    rows.rejected.push_back("line " + std::to_string(row.line) + ": " + row.reason);
  for (task::Example& example : split.examples) {
    if (example.calls)
      rows.examples.push_back(std::move(example));
    else
      ++rows.unlabelled;
  }
  if (rows.examples.empty())
    throw std::invalid_argument(file.string() + ": expected labelled examples, found none of " +
                                std::to_string(split.examples.size()) +
                                " rows with an assistant message: label the utterances with stage.prototype first" +
                                first_reasons(rows.rejected));
  return rows;
}

Corpus tokenised(LabelledRows rows, const task::PromptContract& contract, const text::Tokenizer& tokenizer,
                 const CorpusOptions& options, const RunHooks& hooks) {
  Corpus corpus;
  for (task::Example& example : rows.examples) {
    hooks.throw_if_stopped();
    try {
      Sequence sequence = to_sequence(example, contract, tokenizer, options.prompt_weight);
      expect_usable(sequence, options.max_length);
      count_losses(example, contract, rows.notes);
      rows.empty_answers += example.calls->empty() && example.text.empty() ? 1 : 0;
      sequence.example = corpus.examples.size();
      corpus.sequences.push_back(std::move(sequence));
      corpus.examples.push_back(std::move(example));
    } catch (const std::invalid_argument& error) {
      rows.rejected.push_back("\"" + example.utterance() + "\": " + error.what());
    }
  }
  report(rows, corpus.examples.size(), options.max_rejected_share, hooks);
  return corpus;
}

}  // namespace retort::train
