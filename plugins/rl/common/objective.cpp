#include "objective.h"

namespace retort::rl {
namespace {

/// The numbers of one row's own tokens.
std::vector<double> own_tokens(const RlBatch& batch, const TensorView<const float>& values, std::int64_t r) {
  std::vector<double> row;
  for (std::int64_t t = 0; t < batch.mask.columns(); ++t)
    if (batch.mask(r, t) > 0) row.push_back(static_cast<double>(values(r, t)));
  return row;
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

}  // namespace

Objective::Objective(const ObjectiveParams& params, const std::optional<KlParams>& kl)
    : aggregation_(aggregation_named(params.loss_aggregation)),
      correction_{correction_named(params.sampler_correction), ratio_level_named(params.sampler_level),
                  params.sampler_ratio_floor, params.sampler_ratio_cap},
      off_policy_distance_(params.off_policy_distance),
      kl_coefficient_(kl ? kl->kl_coefficient : 0),
      kl_(kl_named(kl ? kl->kl_estimator : "k3")),
      updates_(params.updates),
      mini_batches_(params.mini_batches) {
  if (correction_.floor > correction_.cap)
    throw std::invalid_argument("sampler_ratio_floor: expected at most sampler_ratio_cap " +
                                std::to_string(correction_.cap) + ", found " + std::to_string(correction_.floor));
}

void Objective::add_to(RlRequirements& wanted) const {
  wanted.updates = updates_;
  wanted.mini_batches = mini_batches_;
  if (kl_coefficient_ > 0) wanted.signals |= RETORT_SIGNAL_REFERENCE_LOG_PROBS;
  if (correction_.kind != Correction::off) wanted.signals |= RETORT_SIGNAL_SAMPLER_LOG_PROBS;
}

void Objective::check(const RlBatch& batch, const RlGradient& gradient) const {
  check_loss_batch(batch, gradient);
  const std::int64_t rows = batch.mask.rows(), positions = batch.mask.columns();
  if (kl_coefficient_ > 0) expect_shape(batch.reference_log_probs, "reference_log_probs", rows, positions);
  if (correction_.kind != Correction::off) expect_shape(batch.sampler_log_probs, "sampler_log_probs", rows, positions);
}

Objective::Rows Objective::rows(const RlBatch& batch) const {
  Rows all;
  all.positions = batch.mask.columns();
  all.weights.assign(static_cast<std::size_t>(batch.mask.rows() * all.positions), 1.0);
  for (std::int64_t r = 0; r < batch.mask.rows(); ++r) {
    const std::vector<double> old = own_tokens(batch, batch.old_log_probs, r);
    all.advantages.push_back(mean(own_tokens(batch, batch.advantages, r)));
    all.log_ratios.push_back(mean(own_tokens(batch, batch.log_probs, r)) - mean(old));
    std::vector<double> weights(old.size(), 1.0);
    if (correction_.kind != Correction::off)
      sampler_weights(correction_, old, own_tokens(batch, batch.sampler_log_probs, r), weights);
    if (off_policy_distance_ > 0 && all.advantages.back() < 0 && -all.log_ratios.back() > off_policy_distance_)
      std::fill(weights.begin(), weights.end(), 0.0);
    auto next = weights.begin();
    for (std::int64_t t = 0; t < all.positions; ++t)
      if (batch.mask(r, t) > 0) all.weights[static_cast<std::size_t>(r * all.positions + t)] = *next++;
  }
  return all;
}

void Objective::add_divergence(const RlBatch& batch, std::int64_t r, std::int64_t t, const TokenInputs& inputs,
                               TokenLoss& policy) const {
  const Divergence found =
      divergence(kl_, inputs.log_prob, static_cast<double>(batch.reference_log_probs(r, t)), inputs.old_log_prob);
  policy.kl = found.value;
  policy.loss += kl_coefficient_ * found.value;
  policy.derivative += kl_coefficient_ * found.derivative;
}

Metrics Objective::metrics(const TokenSum& sum) const {
  Metrics metrics{{"clip_fraction", sum.clipped}, {"ratio", sum.ratio}};
  if (kl_coefficient_ > 0) metrics.emplace_back("kl", sum.kl);
  if (correction_.kind != Correction::off || off_policy_distance_ > 0)
    metrics.emplace_back("policy_weight", sum.weight);
  return metrics;
}

double rewards_with_divergence(const RlBatch& batch, std::int64_t r, const KlParams& kl,
                               const TensorView<const float>& token_rewards, std::vector<double>& rewards,
                               double baseline) {
  std::fill(rewards.begin(), rewards.end(), 0.0);
  const Kl estimator = kl_named(kl.kl_estimator);
  double sum = 0;
  std::int64_t last = -1;
  for (std::int64_t t = 0; t < batch.mask.columns(); ++t) {
    if (!(batch.mask(r, t) > 0)) continue;
    last = t;
    double& reward = rewards[static_cast<std::size_t>(t)];
    if (token_rewards) reward += static_cast<double>(token_rewards(r, t));
    if (!(kl.kl_coefficient > 0)) continue;
    const double now = static_cast<double>(batch.old_log_probs(r, t));
    const double found = divergence(estimator, now, static_cast<double>(batch.reference_log_probs(r, t)), now).value;
    reward -= kl.kl_coefficient * found;
    sum += found;
  }
  if (last >= 0) rewards[static_cast<std::size_t>(last)] += static_cast<double>(batch.rewards[r]) - baseline;
  for (const double reward : rewards)
    if (!std::isfinite(reward))
      throw std::invalid_argument("row " + std::to_string(r) + ": expected finite rewards, found " +
                                  std::to_string(reward));
  return sum;
}

}  // namespace retort::rl
