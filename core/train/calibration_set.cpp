#include "train/calibration_set.h"

#include <stdexcept>

namespace retort::train {

Corpus calibration_corpus(task::Split split, const std::filesystem::path& file, const task::PromptContract& contract,
                          const text::Tokenizer& tokenizer, const CorpusOptions& options, const RunHooks& hooks) {
  task::RowTally tally;
  for (const task::RejectedRow& row : split.rejected) tally.reject(row.reason);
  Corpus corpus;
  for (task::Example& example : split.examples) {
    hooks.throw_if_stopped();
    try {
      Sequence sequence = to_sequence(example, contract, tokenizer);
      expect_length(sequence, options.max_length);
      sequence.example = corpus.examples.size();
      corpus.sequences.push_back(std::move(sequence));
      corpus.examples.push_back(std::move(example));
      tally.keep();
    } catch (const std::invalid_argument& error) {
      tally.reject(error.what());
    }
  }
  if (tally.exceeds(options.max_rejected_share))
    throw std::runtime_error(file.string() + ": " + std::to_string(tally.rejected()) + " of " +
                             std::to_string(tally.rows()) + " rows cannot be used, more than max_rejected_share " +
                             nlohmann::json(options.max_rejected_share).dump() + " allows: " + tally.commonest());
  if (tally.rejected() > 0) hooks.log(tally.summary(file.string()));
  return corpus;
}

std::vector<Sequence> calibration_sequences(const std::optional<std::filesystem::path>& dataset, const TaskFiles& task,
                                            const CorpusOptions& options, const std::string& whose,
                                            const RunHooks& hooks) {
  if (!dataset) throw std::invalid_argument(whose + " wants calibration data: give the stage the input \"dataset\"");
  const std::filesystem::path file = *dataset / "train.jsonl";
  constexpr double any_share = 1.0;  // decided when all reasons are known
  Corpus corpus = calibration_corpus(task::read_split(file, any_share, task::Turns::all), file, task.contract,
                                     task.tokenizer, options, hooks);
  if (corpus.sequences.empty())
    throw std::invalid_argument(file.string() + ": " + whose + " wants calibration data, found no rows");
  return std::move(corpus.sequences);
}

}  // namespace retort::train
