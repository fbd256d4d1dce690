#include "train/policy_batch.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

namespace retort::train {
namespace {

/// Leaves the rows of prompts out that have an answer without a score. Returns the first reason, or "".
std::string drop_unscored(RolloutBatch& rollouts, std::vector<host::RewardItem>& items, std::size_t group,
                          MetricMap& metrics) {
  std::vector<std::size_t> kept;
  std::string reason;
  for (std::size_t begin = 0; begin < items.size(); begin += group) {
    const std::span of_group = std::span(items).subspan(begin, group);
    const auto bad =
        std::find_if(of_group.begin(), of_group.end(), [](const auto& item) { return !item.error.empty(); });
    if (bad != of_group.end() && reason.empty()) reason = bad->error;
    for (std::size_t row = begin; bad == of_group.end() && row < begin + group; ++row) kept.push_back(row);
  }
  if (kept.size() == items.size()) return reason;
  metrics["unscored_prompts"] += static_cast<double>((items.size() - kept.size()) / group);
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (kept[i] == i) continue;
    rollouts.sequences[i] = std::move(rollouts.sequences[kept[i]]);
    rollouts.log_probs[i] = std::move(rollouts.log_probs[kept[i]]);
    rollouts.finished[i] = rollouts.finished[kept[i]];
    rollouts.answers[i] = std::move(rollouts.answers[kept[i]]);
    items[i] = std::move(items[kept[i]]);
  }
  rollouts.sequences.resize(kept.size());
  rollouts.log_probs.resize(kept.size());
  rollouts.finished.resize(kept.size());
  rollouts.answers.resize(kept.size());
  items.resize(kept.size());
  return reason;
}

std::vector<float> own_mask(const Sequence& sequence) {
  std::vector<float> own;
  for (std::size_t t = sequence.prompt.size(); t < sequence.length(); ++t) own.push_back(sequence.weight(t));
  return own;
}

void add_turns(const std::vector<SampledAnswer>& answers, MetricMap& metrics) {
  double turns = 0, cut = 0;
  for (const SampledAnswer& answer : answers) {
    turns += 1;
    for (const task::Message& message : answer.turns) turns += message.role == task::Role::assistant ? 1 : 0;
    const auto* calls = std::get_if<std::vector<task::Call>>(&answer.response);
    cut += calls != nullptr && !calls->empty() ? 1 : 0;
  }
  metrics["turns"] = turns / static_cast<double>(answers.size());
  metrics["cut_turns"] = cut / static_cast<double>(answers.size());
}

/// Rows of numbers, one a token, as a [R,T] matrix with 0 behind each row's end.
std::vector<float> spread(const std::vector<std::vector<float>>& rows, std::int64_t positions) {
  std::vector<float> matrix(rows.size() * static_cast<std::size_t>(positions), 0.0F);
  for (std::size_t row = 0; row < rows.size(); ++row)
    std::copy(rows[row].begin(), rows[row].end(), matrix.begin() + static_cast<std::ptrdiff_t>(row) * positions);
  return matrix;
}

/// How much the rewards of a group's samples differ: the mean over prompts of their standard deviation, of the sum and,
/// where there are several, of each named score. 0: there is nothing to learn from.
void add_spread(const host::RlStep& step, MetricMap& metrics) {
  const auto rows = static_cast<std::size_t>(step.rows()), group = static_cast<std::size_t>(step.group_size);
  if (group < 2 || rows == 0) return;
  const auto deviation = [&](const std::vector<float>& values, std::size_t width, std::size_t column) {
    double all = 0;
    for (std::size_t first = 0; first < rows; first += group) {
      double mean = 0, squares = 0;
      bool equal = true;  // compared exactly: the rounded mean of equal rewards need not be their value
      for (std::size_t g = 1; g < group; ++g)
        equal = equal && values[(first + g) * width + column] == values[first * width + column];
      if (equal) continue;
      for (std::size_t g = 0; g < group; ++g)
        mean += static_cast<double>(values[(first + g) * width + column]) / static_cast<double>(group);
      for (std::size_t g = 0; g < group; ++g) {
        const double away = static_cast<double>(values[(first + g) * width + column]) - mean;
        squares += away * away;
      }
      all += std::sqrt(squares / static_cast<double>(group - 1));
    }
    return all / static_cast<double>(rows / group);
  };
  metrics["reward_spread"] = deviation(step.rewards, 1, 0);
  const std::size_t parts = step.reward_parts.size() / rows;
  for (std::size_t k = 0; parts > 1 && k < parts; ++k) {
    double mean = 0;
    for (std::size_t row = 0; row < rows; ++row) mean += static_cast<double>(step.reward_parts[row * parts + k]);
    metrics["reward_" + std::to_string(k + 1)] = mean / static_cast<double>(rows);
    metrics["reward_spread_" + std::to_string(k + 1)] = deviation(step.reward_parts, parts, k);
  }
}

}  // namespace

PolicyBatches::PolicyBatches(const PolicyGradientJob& job, const CallModule& policy,
                             const std::vector<task::Example>& examples, const std::vector<Sequence>& prompts)
    : job_(job),
      policy_(policy),
      prompts_(prompts.size()),
      sampler_(policy, examples, prompts,
               {.temperature = job.temperature,
                .max_new_tokens = job.max_new_tokens,
                .group_size = job.algorithm.front().wanted().group_size,
                .precision = rollout_precision(job.rollout_precision),
                .grammar = job.grammar,
                .max_turns = job.max_turns,
                .environment = job.environment ? &*job.environment : nullptr,
                .max_result_tokens = job.max_result_tokens},
               job.threads) {}

PolicyBatch PolicyBatches::make(std::span<const std::size_t> batch, std::size_t first, std::uint64_t seed,
                                MetricMap& metrics) {
  const std::int64_t group = job_.algorithm.front().wanted().group_size;
  PolicyBatch made;
  host::RlStep& step = made.step;
  step.group_size = group;
  step.maximum_tokens = job_.max_new_tokens * job_.max_turns;
  step.temperature = job_.temperature;
  if (batch.empty()) return made;
  RolloutBatch rollouts = sampler_.sample(batch, seed, first);
  std::vector<host::RewardItem> items = job_.reward(policy_.contract.tools(), rollouts.answers);
  if (items.size() != rollouts.answers.size())
    throw std::runtime_error("the reward returned " + std::to_string(items.size()) + " scores for " +
                             std::to_string(rollouts.answers.size()) + " answers");

  made.unscored = drop_unscored(rollouts, items, static_cast<std::size_t>(group), metrics);
  if (items.empty()) return made;
  const auto rows = static_cast<std::int64_t>(items.size());
  step.prompts = rows / group;
  std::vector<std::vector<float>> own;  // of each token of a response: 1 where the policy wrote it
  double reward = 0, malformed = 0, finished = 0, tokens = 0, empty = 0;
  for (std::size_t row = 0; row < items.size(); ++row) {
    const std::size_t length = rollouts.sequences[row].response.size();
    step.positions = std::max(step.positions, static_cast<std::int64_t>(length));
    step.rewards.push_back(static_cast<float>(combined_score(items[row].scores, job_.reward_weights)));
    for (const double score : items[row].scores) step.reward_parts.push_back(static_cast<float>(score));
    step.finished.push_back(rollouts.finished[row] ? 1.0F : 0.0F);
    own.push_back(own_mask(rollouts.sequences[row]));
    reward += static_cast<double>(step.rewards.back());
    malformed += items[row].malformed ? 1 : 0;
    finished += rollouts.finished[row] ? 1 : 0;
    tokens += std::accumulate(own.back().begin(), own.back().end(), 0.0);
    empty += length <= 1 && rollouts.finished[row] ? 1 : 0;  // the end token alone
  }
  step.mask = spread(own, step.positions);
  step.sampler_log_probs = spread(rollouts.log_probs, step.positions);
  if (job_.token_reward) {
    std::vector<std::vector<text::TokenId>> responses;
    for (const Sequence& sequence : rollouts.sequences) responses.push_back(sequence.response);
    const std::vector<std::vector<float>> token_rewards = job_.token_reward(rollouts.answers, responses);
    for (std::size_t row = 0; row < items.size(); ++row)
      if (token_rewards.size() != items.size() || token_rewards[row].size() != responses[row].size())
        throw std::runtime_error("token rewards: expected one for each of the " +
                                 std::to_string(responses[row].size()) + " tokens of answer " + std::to_string(row));
    step.token_rewards = spread(token_rewards, step.positions);
    for (std::size_t i = 0; i < step.mask.size(); ++i) step.token_rewards[i] *= step.mask[i];
  }
  metrics["reward"] = reward / static_cast<double>(rows);
  metrics["malformed"] = malformed / static_cast<double>(rows);
  metrics["finished"] = finished / static_cast<double>(rows);
  metrics["response_tokens"] = tokens / static_cast<double>(rows);
  metrics["empty_responses"] = empty / static_cast<double>(rows);
  add_spread(step, metrics);
  if (job_.max_turns > 1) add_turns(rollouts.answers, metrics);
  made.sequences = std::move(rollouts.sequences);
  return made;
}

}  // namespace retort::train
