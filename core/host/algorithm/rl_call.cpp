#include "host/algorithm/rl_call.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <random>
#include <stdexcept>

#include "host/algorithm/component_failure.h"
#include "host/plugin/conformance_tensor.h"
#include "host/plugin/signal_names.h"

namespace retort::host {
namespace {

constexpr float unwritten = std::numeric_limits<float>::quiet_NaN();

retort_metric_sink rl_sink_into(RlMetrics& metrics) {
  return {sizeof(retort_metric_sink), 0, &metrics, [](void* context, retort_string name, double value) {
            (*static_cast<RlMetrics*>(context))[std::string(name.data, name.size)] += value;
          }};
}

/// A tensor that may be absent: NULL for the component then.
class Optional {
 public:
  /// `columns` 0: one dimension.
  void make(std::int64_t rows, std::int64_t columns) {
    tensor_ =
        columns == 0 ? std::make_unique<OwnedTensor<float>>(rows) : std::make_unique<OwnedTensor<float>>(rows, columns);
    tensor_->fill_with(unwritten);
  }
  /// The given rows of the row-major `source`.
  void take(const std::vector<float>& source, std::span<const std::int64_t> rows, std::int64_t columns) {
    const std::int64_t width = std::max<std::int64_t>(columns, 1);
    make(static_cast<std::int64_t>(rows.size()), columns);
    for (std::size_t i = 0; i < rows.size(); ++i)
      for (std::int64_t j = 0; j < width; ++j)
        tensor_->at(static_cast<std::int64_t>(i), j) = source.at(static_cast<std::size_t>(rows[i] * width + j));
  }
  const retort_tensor* input() const { return tensor_ ? tensor_->input() : nullptr; }
  const retort_tensor* output() const { return tensor_ ? tensor_->output() : nullptr; }
  std::vector<float> values() const {
    std::vector<float> all;
    for (std::int64_t i = 0; tensor_ && i < tensor_->size(); ++i) all.push_back(tensor_->flat(i));
    return all;
  }

 private:
  std::unique_ptr<OwnedTensor<float>> tensor_;
};

std::vector<std::int64_t> first_numbers(std::int64_t count) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), std::int64_t{0});
  return numbers;
}

/// The ABI's batch of some rows of a step and everything that it points to.
class Batch {
 public:
  Batch(const RlStep& step, const RlUpdate& update, std::span<const std::int64_t> rows, const RlPolicy& policy,
        const RlCall& call)
      : rows_(static_cast<std::int64_t>(rows.size())), groups_(static_cast<std::int64_t>(rows.size())) {
    const std::int64_t T = step.positions;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      rows_.at(static_cast<std::int64_t>(i)) = rows[i];
      groups_.at(static_cast<std::int64_t>(i)) = rows[i] / step.group_size;
    }
    abi.struct_size = sizeof(abi);
    abi.rows = rows_.input();
    abi.groups = groups_.input();
    abi.rewards = take(step.rewards, rows, 0);
    abi.reward_parts = take(step.reward_parts, rows, static_cast<std::int64_t>(step.reward_parts.size()) / step.rows());
    abi.finished = take(step.finished, rows, 0);
    abi.mask = take(step.mask, rows, T);
    abi.old_log_probs = take(step.old_log_probs, rows, T);
    const std::vector<std::int64_t> own = first_numbers(static_cast<std::int64_t>(rows.size()));
    abi.log_probs = take(policy.log_probs, own, T);
    const auto if_wanted = [&](std::uint64_t signal, const std::vector<float>& source,
                               std::span<const std::int64_t> of) {
      return call.wants(signal) ? take(source, of, T) : nullptr;
    };
    abi.token_rewards = if_wanted(RETORT_SIGNAL_TOKEN_REWARDS, step.token_rewards, rows);
    abi.sampler_log_probs = if_wanted(RETORT_SIGNAL_SAMPLER_LOG_PROBS, step.sampler_log_probs, rows);
    abi.reference_log_probs = if_wanted(RETORT_SIGNAL_REFERENCE_LOG_PROBS, step.reference_log_probs, rows);
    abi.values = if_wanted(RETORT_SIGNAL_VALUES, policy.values, own);
    abi.old_values = if_wanted(RETORT_SIGNAL_VALUES, step.old_values, rows);
    abi.entropies = if_wanted(RETORT_SIGNAL_ENTROPIES, policy.entropies, own);
    if (!step.advantages.empty()) abi.advantages = take(step.advantages, rows, T);
    if (!step.advantages.empty()) abi.returns = if_wanted(RETORT_SIGNAL_VALUES, step.returns, rows);
    abi.update_rows = static_cast<std::int64_t>(update.rows.size());
    abi.update_tokens = update.tokens;
    abi.update_groups = update.groups;
    abi.group_size = step.group_size;
    abi.maximum_tokens = step.maximum_tokens;
    abi.update = update.number;
    abi.temperature = step.temperature;
  }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  retort_rl_batch abi{};

 private:
  const retort_tensor* take(const std::vector<float>& source, std::span<const std::int64_t> rows,
                            std::int64_t columns) {
    tensors_.push_back(std::make_unique<Optional>());
    tensors_.back()->take(source, rows, columns);
    return tensors_.back()->input();
  }

  OwnedTensor<std::int64_t> rows_, groups_;
  std::vector<std::unique_ptr<Optional>> tensors_;
};

/// Counts of the rows that an update trains on.
void count(const RlStep& step, RlUpdate& update) {
  std::int64_t last_group = -1;
  double tokens = 0;
  for (const std::int64_t row : update.rows) {
    update.groups += row / step.group_size != last_group ? 1 : 0;
    last_group = row / step.group_size;
    for (std::int64_t t = 0; t < step.positions; ++t)
      tokens += static_cast<double>(step.mask[static_cast<std::size_t>(row * step.positions + t)]);
  }
  update.tokens = std::llround(tokens);
}

/// Uniform in [0, bound), the same with every standard library.
std::size_t below(std::mt19937_64& random, std::size_t bound) {
  const std::uint64_t limit = std::numeric_limits<std::uint64_t>::max() / bound * bound;
  std::uint64_t value = random();
  while (value >= limit) value = random();
  return static_cast<std::size_t>(value % bound);
}

}  // namespace

std::vector<RlUpdate> rl_updates(const RlStep& step, const retort_rl_requirements& wanted, std::uint64_t seed) {
  const bool whole_groups = (wanted.flags & RETORT_RL_WHOLE_GROUPS) != 0;
  std::vector<std::vector<std::int64_t>> units;  // what must stay together
  for (std::int64_t row = 0; row < step.rows(); ++row) {
    if (step.keep[static_cast<std::size_t>(row)] == 0) continue;
    if (!whole_groups || units.empty() || units.back().front() / step.group_size != row / step.group_size)
      units.emplace_back();
    units.back().push_back(row);
  }
  std::vector<RlUpdate> updates;
  const auto parts = static_cast<std::size_t>(wanted.mini_batches);
  std::mt19937_64 random(seed);
  for (std::int64_t pass = 0; pass < wanted.updates; ++pass) {
    std::vector<std::size_t> order(units.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (std::size_t i = order.size(); parts > 1 && i > 1; --i) std::swap(order[i - 1], order[below(random, i)]);
    for (std::size_t part = 0; part < parts; ++part) {
      RlUpdate update;
      update.number = static_cast<std::int64_t>(updates.size());
      for (std::size_t i = order.size() * part / parts; i < order.size() * (part + 1) / parts; ++i)
        update.rows.insert(update.rows.end(), units[order[i]].begin(), units[order[i]].end());
      std::sort(update.rows.begin(), update.rows.end());
      count(step, update);
      updates.push_back(std::move(update));
    }
  }
  return updates;
}

std::vector<std::span<const std::int64_t>> rl_parts(const RlUpdate& update, const retort_rl_requirements& wanted,
                                                    std::int64_t most) {
  const bool whole_groups = (wanted.flags & RETORT_RL_WHOLE_GROUPS) != 0;
  const std::span<const std::int64_t> rows(update.rows);
  std::vector<std::span<const std::int64_t>> parts;
  std::size_t begin = 0;
  for (std::size_t next = 0; next < rows.size();) {
    std::size_t end = next + 1;  // of the unit that begins at `next`
    while (whole_groups && end < rows.size() && rows[end] / wanted.group_size == rows[next] / wanted.group_size) ++end;
    if (next > begin && static_cast<std::int64_t>(end - begin) > most) {
      parts.push_back(rows.subspan(begin, next - begin));
      begin = next;
    }
    next = end;
  }
  if (begin < rows.size()) parts.push_back(rows.subspan(begin));
  return parts;
}

RlCall::RlCall(std::string id, retort_instance* instance, const retort_rl_v1& functions)
    : id_(std::move(id)), instance_(instance), functions_(functions) {
  wanted_.struct_size = sizeof(wanted_);
  throw_component_failure(functions_.requirements(instance_, &wanted_), id_ + ": requirements()");
  if (const std::string unknown = unknown_signals(wanted_.signals, rl_signals); !unknown.empty())
    throw std::invalid_argument(id_ + ": requirements(): asks for " + unknown +
                                ", which retort.rl/1 does not know; it knows " + signal_names(rl_signals));
  if ((wanted_.flags & ~(RETORT_RL_WHOLE_GROUPS | RETORT_RL_CONSTANT_RATIO)) != 0)
    throw std::invalid_argument(id_ + ": requirements(): unknown bits in flags: " + std::to_string(wanted_.flags));
  const auto at_least_1 = [&](const char* name, std::int64_t value) {
    if (value < 1)
      throw std::invalid_argument(id_ + ": requirements(): " + name + ": expected at least 1, found " +
                                  std::to_string(value));
  };
  at_least_1("group_size", wanted_.group_size);
  at_least_1("updates", wanted_.updates);
  at_least_1("mini_batches", wanted_.mini_batches);
  if (wanted_.refill_rounds < 0)
    throw std::invalid_argument(id_ + ": requirements(): refill_rounds: expected at least 0, found " +
                                std::to_string(wanted_.refill_rounds));
}

void RlCall::require_offered(std::uint64_t offered, const std::string& who) const {
  if (const std::string missing = unknown_signals(wanted_.signals, offered); !missing.empty())
    throw std::invalid_argument(id_ + ": asks for " + missing + ", which " + who + " cannot give; it offers " +
                                signal_names(offered));
}

namespace {

/// Throws unless every element of `values` ([r,columns]) is finite.
void expect_finite(const std::string& what, const std::vector<float>& values, std::int64_t columns) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i]))
      throw std::runtime_error(
          what + ": expected a finite number in every element, found " + std::to_string(values[i]) + " in row " +
          std::to_string(i / static_cast<std::size_t>(columns)) + ", position " +
          std::to_string(i % static_cast<std::size_t>(columns)) + " (elements that are not written stay NaN)");
}

}  // namespace

void RlCall::advantages(RlStep& step, RlMetrics& metrics) const {
  step.advantages.clear();
  step.returns.clear();
  RlUpdate whole;
  whole.rows = first_numbers(step.rows());
  count(step, whole);
  // Before the first update the policy is the one that sampled; entropies are the policy's affair in loss().
  RlPolicy policy{step.old_log_probs, step.old_values, std::vector<float>(step.mask.size(), 0.0F)};
  Batch batch(step, whole, whole.rows, policy, *this);
  batch.abi.entropies = nullptr;
  Optional advantages, returns, keep;
  advantages.make(step.rows(), step.positions);
  if (wants(RETORT_SIGNAL_VALUES)) returns.make(step.rows(), step.positions);
  const std::vector<float> ones(static_cast<std::size_t>(step.rows()), 1.0F);
  keep.take(ones, whole.rows, 0);
  const retort_metric_sink sink = rl_sink_into(metrics);
  retort_rl_advantages out{sizeof(out), 0, advantages.output(), returns.output(), keep.output(), &sink};
  throw_component_failure(functions_.advantages(instance_, &batch.abi, &out), id_ + ": advantages()");
  step.advantages = advantages.values();
  step.returns = returns.values();
  step.keep = keep.values();
  expect_finite(id_ + ": advantages(): advantages", step.advantages, step.positions);
  expect_finite(id_ + ": advantages(): returns", step.returns, step.positions);
  for (std::size_t row = 0; row < step.keep.size(); ++row)
    if (step.keep[row] != 0 && step.keep[row] != 1)
      throw std::runtime_error(id_ + ": advantages(): keep: expected 0 or 1, found " + std::to_string(step.keep[row]) +
                               " in row " + std::to_string(row));
}

RlLoss RlCall::loss(const RlStep& step, const RlUpdate& update, std::span<const std::int64_t> rows,
                    const RlPolicy& policy, bool with_gradient, RlMetrics& metrics) const {
  const Batch batch(step, update, rows, policy, *this);
  const auto count = static_cast<std::int64_t>(rows.size());
  Optional by_log_probs, by_values, by_entropies;
  if (with_gradient) by_log_probs.make(count, step.positions);
  if (with_gradient && wants(RETORT_SIGNAL_VALUES)) by_values.make(count, step.positions);
  if (with_gradient && wants(RETORT_SIGNAL_ENTROPIES)) by_entropies.make(count, step.positions);
  const retort_metric_sink sink = rl_sink_into(metrics);
  retort_rl_result result{
      sizeof(result),        0,    std::numeric_limits<double>::quiet_NaN(), by_log_probs.output(), by_values.output(),
      by_entropies.output(), &sink};
  throw_component_failure(functions_.loss(instance_, &batch.abi, &result), id_ + ": loss()");
  RlLoss loss{result.loss, {by_log_probs.values(), by_values.values(), by_entropies.values()}};
  if (!std::isfinite(loss.loss))
    throw std::runtime_error(id_ + ": loss(): expected a finite loss, found " + std::to_string(loss.loss));
  const auto check = [&](const char* name, const std::vector<float>& gradient) {
    expect_finite(id_ + ": loss(): gradient by " + name, gradient, step.positions);
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      const auto at = static_cast<std::size_t>(rows[i / static_cast<std::size_t>(step.positions)] * step.positions) +
                      i % static_cast<std::size_t>(step.positions);
      if (gradient[i] != 0 && step.mask[at] == 0)
        throw std::runtime_error(id_ + ": loss(): gradient by " + name + ": expected 0 outside the mask, found " +
                                 std::to_string(gradient[i]) + " in row " +
                                 std::to_string(rows[i / static_cast<std::size_t>(step.positions)]));
    }
  };
  check("log_probs", loss.gradient.log_probs);
  check("values", loss.gradient.values);
  check("entropies", loss.gradient.entropies);
  return loss;
}

}  // namespace retort::host
