// Rejection sampling: a model answers every prompt several times, what a reward accepts becomes training data.
// RFT (Yuan et al., arXiv 2308.01825) and RAFT (Dong et al., arXiv 2304.06767). Files are rft_plugin.cpp's
// business. No LibTorch.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "../common/answer_journal.h"
#include "runtime/generate/call_model.h"
#include "task/dataset.h"
#include "train/answers.h"

namespace retort::stages {

struct RftOptions {
  std::int64_t samples = 8;            ///< answers to a prompt in a round
  std::int64_t rounds = 1;             ///< in each, prompts that have not `keep` accepted answers yet are asked again
  std::int64_t max_turns = 1;          ///< answers of one sample, with tools in between
  std::int64_t keep = 1;               ///< different accepted answers of a prompt, the best first; 0 = all
  double temperature = 1;              ///< of the first round
  double temperature_step = 0;         ///< added in every later round
  double threshold = 1;                ///< least score of an answer that is accepted
  std::vector<double> reward_weights;  ///< as train::combined_score()
  std::string unsolved = "drop";       ///< a prompt without an accepted answer: "drop", or "label": its own label stays
  std::uint64_t seed = 0;
};

/// One answer; of several turns the last one, with what was said before it and what all calls did in one world (as in
/// train::SampledAnswer).
struct SampledTurns : runtime::Answer {
  std::vector<task::Message> turns;
  nlohmann::json execution = nullptr;
};

/// Answers `count` times with the given temperature and seed.
using SampleAnswers = std::function<std::vector<SampledTurns>(const task::Example& asked, std::int64_t count,
                                                              double temperature, std::uint64_t seed)>;

struct RftResult {
  /// In the order of the prompts; metadata "rft": {"round", "score"}. Of several turns a row for each answer, with what
  /// was said before it, and "turn" from 1: results are read and never learnt.
  std::vector<task::Example> rows;
  std::vector<task::RejectedRow> rejected;                             ///< prompts that no row came of, and why
  std::int64_t sampled = 0, malformed = 0, unscored = 0, refused = 0;  ///< answers; refused: scored below the threshold
  std::int64_t duplicates = 0;                                         ///< answers whose calls another one had made
  std::int64_t solved = 0;                                             ///< prompts with an accepted answer
  std::vector<std::int64_t> solved_by_round;                           ///< after each round
};

/// Answers that make the same calls (with the same results, in several turns) count as one and are scored once. What
/// was found is kept in `journal`, where one is given, prompt by prompt. `progress(round, prompts done)` may throw to
/// stop. Throws what sampling and reward throw, but for a prompt that the model cannot be asked: it is rejected.
RftResult rejection_sample(const std::vector<task::Example>& prompts, const std::vector<task::Tool>& tools,
                           const SampleAnswers& sample, const train::RewardFunction& reward, const RftOptions& options,
                           AnswerJournal* journal,
                           const std::function<void(std::int64_t round, std::size_t done)>& progress);

}  // namespace retort::stages
