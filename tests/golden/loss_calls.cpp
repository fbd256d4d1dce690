// RlStep and PreferenceStep of loss_calls.h. What an algorithm did not ask for, it does not get.
#include "loss_calls.h"

#include <cmath>
#include <numeric>

#include "owned_rows.h"

namespace retort::golden {

void append(Outcome& whole, const Outcome& part) {
  whole.loss += part.loss;
  for (const auto& [name, value] : part.metrics) whole.metrics[name] += value;
  for (const auto& [name, values] : part.gradients) {
    auto& sum = whole.gradients[name];
    if (name.rfind("parameter", 0) != 0) {
      sum.insert(sum.end(), values.begin(), values.end());
      continue;
    }
    sum.resize(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) sum[i] += values[i];
  }
}

RlStep::RlStep() : rewards{1, 0, .25F, .5F, -.5F, 1, .75F, 0}, finished(rows, 1.0F), keep(rows, 1.0F) {
  const std::int64_t lengths[] = {3, 1, 6, 2, 0, 4, 1, 5};
  std::mt19937 random(20250416);
  const std::int64_t count = rows * positions;
  old_log_probs = normal_numbers(random, count, -1.5F, .4F);
  const auto near = [&](float deviation) {
    auto numbers = normal_numbers(random, count, 0, deviation);
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] += old_log_probs[i];
    return numbers;
  };
  log_probs = near(.2F);
  sampler_log_probs = near(.5F);
  reference_log_probs = near(.3F);
  old_values = normal_numbers(random, count, .4F, .3F);
  values = old_values;
  for (float& value : values) value += normal_numbers(random, 1, 0, .3F)[0];
  entropies = normal_numbers(random, count, 2, .3F);
  token_rewards = normal_numbers(random, count, 0, .1F);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t t = 0; t < positions; ++t) mask.push_back(t < lengths[r] && t != 2 ? 1.0F : 0.0F);  // a gap at 2
}

void RlStep::pad(std::int64_t columns) {
  for (auto* column : {&mask, &log_probs, &old_log_probs, &sampler_log_probs, &reference_log_probs, &this->values,
                       &old_values, &entropies, &token_rewards})
    for (std::int64_t r = rows; r > 0; --r)
      column->insert(column->begin() + r * positions, static_cast<std::size_t>(columns), 0.0F);
  positions += columns;
}

retort_rl_requirements RlStep::requirements(const LoadedComponent& algorithm) {
  retort_rl_requirements wanted{};
  wanted.struct_size = sizeof wanted;
  throw_if_error(algorithm.functions<retort_rl_v1>(RETORT_RL_INTERFACE).requirements(algorithm.instance(), &wanted));
  return wanted;
}

std::int64_t RlStep::tokens() const {
  return std::llround(std::accumulate(mask.begin(), mask.end(), 0.0F));
}

retort_rl_batch RlStep::sizes() const {
  retort_rl_batch batch{};
  batch.struct_size = sizeof batch;
  batch.update_rows = rows;
  batch.update_tokens = tokens();
  batch.update_groups = rows / group;
  batch.group_size = group;
  batch.maximum_tokens = longest;
  batch.temperature = 1;
  return batch;
}

namespace {

/// The tensors of some rows of a step, by what the algorithm asked for.
class RlRows {
 public:
  RlRows(const LoadedComponent& algorithm, const RlStep& step, std::int64_t first, std::int64_t count,
         retort_rl_batch& batch)
      : wanted(RlStep::requirements(algorithm)), first_(first), count_(count), positions_(step.positions) {
    for (std::int64_t r = first; r < first + count; ++r) {
      numbers_.push_back(r);
      groups_.push_back(r / RlStep::group);
    }
    row_numbers_ = slice(numbers_, 0, count);
    group_numbers_ = slice(groups_, 0, count);
    batch.rows = row_numbers_->view();
    batch.groups = group_numbers_->view();
    batch.rewards = take(step.rewards, 0);
    batch.reward_parts = take(step.rewards, 1);
    batch.finished = take(step.finished, 0);
    batch.mask = take(step.mask);
    batch.log_probs = take(step.log_probs);
    batch.old_log_probs = take(step.old_log_probs);
    batch.sampler_log_probs = wants(RETORT_SIGNAL_SAMPLER_LOG_PROBS) ? take(step.sampler_log_probs) : nullptr;
    if (wants(RETORT_SIGNAL_REFERENCE_LOG_PROBS) && !step.without_reference)
      batch.reference_log_probs = take(step.reference_log_probs);
    batch.values = wants(RETORT_SIGNAL_VALUES) ? take(step.values) : nullptr;
    batch.old_values = wants(RETORT_SIGNAL_VALUES) ? take(step.old_values) : nullptr;
    batch.entropies = wants(RETORT_SIGNAL_ENTROPIES) ? take(step.entropies) : nullptr;
    batch.token_rewards = wants(RETORT_SIGNAL_TOKEN_REWARDS) ? take(step.token_rewards) : nullptr;
    if (!step.advantages.empty()) batch.advantages = take(step.advantages);
    if (!step.returns.empty() && wants(RETORT_SIGNAL_VALUES)) batch.returns = take(step.returns);
  }
  bool wants(std::uint64_t signal) const { return (wanted.signals & signal) != 0; }
  retort_rl_requirements wanted;

 private:
  const retort_tensor* take(const std::vector<float>& all) { return take(all, positions_); }
  const retort_tensor* take(const std::vector<float>& all, std::int64_t columns) {
    tensors_.push_back(slice(all, first_, count_, columns));
    return tensors_.back()->view();
  }
  std::int64_t first_, count_, positions_;
  std::vector<std::int64_t> numbers_, groups_;
  Owned<std::int64_t> row_numbers_, group_numbers_;
  std::vector<Owned<float>> tensors_;
};

}  // namespace

MetricMap RlStep::compute_advantages(const LoadedComponent& algorithm) {
  advantages.clear();
  returns.clear();
  retort_rl_batch batch = sizes();
  const RlRows all(algorithm, *this, 0, rows, batch);
  const auto advantage = unwritten(rows, positions), target = unwritten(rows, positions);
  const auto kept = slice(std::vector<float>(rows, 1.0F), 0, rows);
  MetricMap metrics;
  const retort_metric_sink sink = sink_into(metrics);
  retort_rl_advantages out{sizeof out,        0,
                           advantage->view(), all.wants(RETORT_SIGNAL_VALUES) ? target->view() : nullptr,
                           kept->view(),      &sink};
  throw_if_error(algorithm.functions<retort_rl_v1>(RETORT_RL_INTERFACE).advantages(algorithm.instance(), &batch, &out));
  advantages = advantage->values;
  returns = target->values;
  keep = kept->values;
  return metrics;
}

Outcome RlStep::call(const LoadedComponent& algorithm, std::int64_t first, std::int64_t count) const {
  retort_rl_batch batch = sizes();
  const RlRows part(algorithm, *this, first, count, batch);
  const auto by_log_probs = unwritten(count, positions), by_values = unwritten(count, positions),
             by_entropies = unwritten(count, positions);
  Outcome outcome;
  const retort_metric_sink sink = sink_into(outcome.metrics);
  const bool values_wanted = part.wants(RETORT_SIGNAL_VALUES), entropies_wanted = part.wants(RETORT_SIGNAL_ENTROPIES);
  retort_rl_result result{sizeof result,
                          0,
                          static_cast<double>(not_written),
                          by_log_probs->view(),
                          values_wanted ? by_values->view() : nullptr,
                          entropies_wanted ? by_entropies->view() : nullptr,
                          &sink};
  throw_if_error(algorithm.functions<retort_rl_v1>(RETORT_RL_INTERFACE).loss(algorithm.instance(), &batch, &result));
  outcome.loss = result.loss;
  outcome.gradients["log_probs"] = by_log_probs->values;
  if (values_wanted) outcome.gradients["values"] = by_values->values;
  if (entropies_wanted) outcome.gradients["entropies"] = by_entropies->values;
  return outcome;
}

PreferenceStep::PreferenceStep()
    : chosen_lengths{8, 3, 12, 1, 5, 7, 2, 9},
      rejected_lengths{4, 6, 2, 2, 11, 3, 8, 1},
      weights{1, 1, .5F, 1, 2, 1, 0, 1} {
  std::mt19937 random(20250417);
  chosen = normal_numbers(random, pairs, -12, 4);
  rejected = normal_numbers(random, pairs, -14, 4);
  reference_chosen = normal_numbers(random, pairs, -13, 4);
  reference_rejected = normal_numbers(random, pairs, -13, 4);
}

bool PreferenceStep::wants_reference(const LoadedComponent& loss) {
  retort_preference_requirements wanted{};
  wanted.struct_size = sizeof wanted;
  throw_if_error(
      loss.functions<retort_preference_v1>(RETORT_PREFERENCE_INTERFACE).requirements(loss.instance(), &wanted));
  return (wanted.signals & RETORT_SIGNAL_REFERENCE_LOG_PROBS) != 0;
}

Outcome PreferenceStep::call(const LoadedComponent& loss, std::int64_t first, std::int64_t count) const {
  const auto& functions = loss.functions<retort_preference_v1>(RETORT_PREFERENCE_INTERFACE);
  const bool reference = wants_reference(loss) && !without_reference;
  const auto part = [&](const std::vector<float>& all) { return slice(all, first, count); };
  const auto c = part(chosen), r = part(rejected), rc = part(reference_chosen), rr = part(reference_rejected),
             cl = part(chosen_lengths), rl = part(rejected_lengths), w = part(weights);
  const retort_preference_batch batch{sizeof batch,
                                      0,
                                      c->view(),
                                      r->view(),
                                      cl->view(),
                                      rl->view(),
                                      reference ? rc->view() : nullptr,
                                      reference ? rr->view() : nullptr,
                                      w->view(),
                                      w->view(),
                                      static_cast<double>(std::accumulate(weights.begin(), weights.end(), 0.0F)),
                                      0,
                                      10};
  const auto by_chosen = unwritten(count), by_rejected = unwritten(count);
  Outcome outcome;
  const retort_metric_sink sink = sink_into(outcome.metrics);
  retort_preference_result result{sizeof result,       0,    static_cast<double>(not_written), by_chosen->view(),
                                  by_rejected->view(), &sink};
  throw_if_error(functions.loss(loss.instance(), &batch, &result));
  outcome.loss = result.loss;
  outcome.gradients["chosen"] = by_chosen->values;
  outcome.gradients["rejected"] = by_rejected->values;
  return outcome;
}

}  // namespace retort::golden
