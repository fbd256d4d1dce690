// rl.rloo: batches and parameters around rloo.h.
#include <algorithm>
#include <cmath>
#include <retort/plugin.hpp>
#include <retort/rl.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "rloo.h"
#include "token_sum.h"

namespace {

using retort::rl::Aggregation;
using retort::rl::Ratio;

class Rloo : public retort::RlAlgorithm {
 public:
  struct Params {
    std::int64_t group_size = 4;
    double kl_coefficient = 0;
    std::string ratio = "sequence";
    std::string loss_aggregation = "sequence_sum";
    bool clip = true;
    double clip_low = 0.2, clip_high = 0.2;
    bool drop_equal_groups = false;
    std::int64_t updates = 1, mini_batches = 1;
  };
  static auto schema() {
    return retort::params<Params>()
        .integer("group_size", &Params::group_size)
        .at_least(2)
        .doc("samples of each prompt; each one's baseline is the mean reward of the others")
        .number("kl_coefficient", &Params::kl_coefficient)
        .at_least(0)
        .doc(
            "β: β·Σ(log π − log π_ref) over the response's tokens is taken off the reward before the baseline; 0: off, "
            "no reference model is loaded")
        .string("ratio", &Params::ratio)
        .one_of({"sequence", "token"})
        .doc("the probability ratio is that of the whole response (one action), or each token's own")
        .string("loss_aggregation", &Params::loss_aggregation)
        .one_of({"sequence_sum", "token_mean", "sequence_mean", "maximum_length"})
        .doc(
            "with ratio token: mean over rows of the sum over tokens, mean over the update's tokens, mean over rows of "
            "the mean over tokens, or sum over tokens divided by rows and the longest response allowed; ratio "
            "sequence knows sequence_sum only")
        .boolean("clip", &Params::clip)
        .doc("clip the ratio as PPO does; without it the loss is −ratio·advantage")
        .number("clip_low", &Params::clip_low)
        .above(0)
        .below(1)
        .doc("the ratio is clipped below at 1 − clip_low")
        .number("clip_high", &Params::clip_high)
        .above(0)
        .doc("and above at 1 + clip_high")
        .boolean("drop_equal_groups", &Params::drop_equal_groups)
        .doc("leave out groups whose rewards (less the KL) are all equal; they teach nothing but count as rows")
        .integer("updates", &Params::updates)
        .at_least(1)
        .doc("passes over one batch of rollouts")
        .integer("mini_batches", &Params::mini_batches)
        .at_least(1)
        .doc("optimiser steps of a pass");
  }

  explicit Rloo(const Params& params)
      : params_(params),
        ratio_(params.ratio == "token" ? Ratio::token : Ratio::sequence),
        aggregation_(retort::rl::aggregation_named(params.loss_aggregation)),
        bounds_{params.clip_low, params.clip_high},
        clip_(params.clip ? &bounds_ : nullptr) {
    if (ratio_ == Ratio::sequence && aggregation_ != Aggregation::sequence_sum)
      throw std::invalid_argument("loss_aggregation: a response is one action with ratio \"sequence\": expected " +
                                  std::string("\"sequence_sum\", found \"") + params.loss_aggregation +
                                  "\"; say ratio \"token\" for any other");
  }

  retort::RlRequirements requirements() const override {
    retort::RlRequirements wanted;
    wanted.group_size = params_.group_size;
    wanted.updates = params_.updates;
    wanted.mini_batches = params_.mini_batches;
    if (params_.kl_coefficient > 0) wanted.signals |= RETORT_SIGNAL_REFERENCE_LOG_PROBS;
    return wanted;
  }

  retort::Metrics advantages(const retort::RlBatch& batch, const retort::RlAdvantages& out) override {
    const std::int64_t rows = batch.mask.rows(), positions = batch.mask.columns(), group = params_.group_size;
    check_step(batch, out);
    std::vector<double> rewards(static_cast<std::size_t>(group)), scores(static_cast<std::size_t>(group));
    double reward = 0, divergence = 0;
    std::int64_t equal = 0;
    for (std::int64_t first = 0; first < rows; first += group) {
      for (std::int64_t g = 0; g < group; ++g) {
        const double kl = params_.kl_coefficient > 0 ? response_kl(batch, first + g) : 0;
        rewards[static_cast<std::size_t>(g)] =
            static_cast<double>(batch.rewards[first + g]) - params_.kl_coefficient * kl;
        reward += static_cast<double>(batch.rewards[first + g]);
        divergence += kl;
      }
      const bool differ = retort::rl::leave_one_out(rewards, scores);
      equal += differ ? 0 : 1;
      for (std::int64_t g = 0; g < group; ++g) {
        if (out.keep && !differ && params_.drop_equal_groups) out.keep[first + g] = 0.0F;
        for (std::int64_t t = 0; t < positions; ++t)
          out.advantages(first + g, t) =
              batch.mask(first + g, t) > 0 ? static_cast<float>(scores[static_cast<std::size_t>(g)]) : 0.0F;
      }
    }
    const auto count = static_cast<double>(std::max<std::int64_t>(rows, 1));
    retort::Metrics metrics{{"mean_reward", reward / count}, {"equal_groups", static_cast<double>(equal)}};
    if (params_.kl_coefficient > 0) metrics.emplace_back("kl", divergence / count);
    return metrics;
  }

  Result loss(const retort::RlBatch& batch, const retort::RlGradient& gradient) override {
    retort::rl::check_loss_batch(batch, gradient);
    if (ratio_ == Ratio::sequence) return sequence_loss(batch, gradient);
    const auto sum = retort::rl::sum_tokens(batch, gradient, aggregation_, [&](std::int64_t r, std::int64_t t) {
      retort::rl::TokenTerms token;
      token.policy = retort::rl::clipped_surrogate(clip_, static_cast<double>(batch.advantages(r, t)),
                                                   static_cast<double>(batch.log_probs(r, t)),
                                                   static_cast<double>(batch.old_log_probs(r, t)));
      return token;
    });
    return {sum.loss, {{"clip_fraction", sum.clipped}}};
  }

 private:
  /// Σ_t (log π_old − log π_ref) over the response.
  static double response_kl(const retort::RlBatch& batch, std::int64_t r) {
    double sum = 0;
    for (std::int64_t t = 0; t < batch.mask.columns(); ++t)
      if (batch.mask(r, t) > 0)
        sum += retort::rl::k1(static_cast<double>(batch.old_log_probs(r, t)),
                              static_cast<double>(batch.reference_log_probs(r, t)));
    return sum;
  }

  Result sequence_loss(const retort::RlBatch& batch, const retort::RlGradient& gradient) const {
    const double weight =
        retort::rl::token_weight(aggregation_, 1, {batch.update_rows, batch.update_tokens, batch.maximum_tokens});
    double loss = 0, clipped = 0;
    for (std::int64_t r = 0; r < batch.mask.rows(); ++r) {
      double now = 0, old = 0, advantage = 0;
      for (std::int64_t t = 0; t < batch.mask.columns(); ++t) {
        if (!(batch.mask(r, t) > 0)) continue;
        now += static_cast<double>(batch.log_probs(r, t));
        old += static_cast<double>(batch.old_log_probs(r, t));
        advantage = static_cast<double>(batch.advantages(r, t));  // the same at every token of the response
      }
      const auto response = retort::rl::clipped_surrogate(clip_, advantage, now, old);
      if (!std::isfinite(response.loss)) retort::rl::refuse_not_finite(batch, r, 0);
      loss += weight * response.loss;
      clipped += response.clipped ? weight : 0;
      for (std::int64_t t = 0; gradient.log_probs && t < batch.mask.columns(); ++t)
        gradient.log_probs(r, t) = batch.mask(r, t) > 0 ? static_cast<float>(weight * response.derivative) : 0.0F;
    }
    return {loss, {{"clip_fraction", clipped}}};
  }

  void check_step(const retort::RlBatch& batch, const retort::RlAdvantages& out) const {
    const std::int64_t rows = batch.mask.rows(), positions = batch.mask.columns();
    expect_shape(batch.mask, "mask", rows, positions);
    expect_shape(batch.rewards, "rewards", rows);
    expect_shape(out.advantages, "advantages", rows, positions);
    if (out.keep) expect_shape(out.keep, "keep", rows);
    if (rows % params_.group_size != 0)
      throw std::invalid_argument("rewards: expected a multiple of the group size " +
                                  std::to_string(params_.group_size) + ", found " + std::to_string(rows) + " rows");
    if (params_.kl_coefficient > 0) {
      expect_shape(batch.old_log_probs, "old_log_probs", rows, positions);
      expect_shape(batch.reference_log_probs, "reference_log_probs", rows, positions);
    }
  }

  Params params_;
  Ratio ratio_;
  Aggregation aggregation_;
  retort::rl::Clip bounds_;
  const retort::rl::Clip* clip_;  ///< nullptr: off
};

}  // namespace

RETORT_PLUGIN_LIST("rloo", "1.0.0", "Apache-2.0",
                   retort::component<Rloo>("rl.rloo", "1.0.0",
                                           "REINFORCE with the mean of the other samples as baseline, optional "
                                           "clipping and KL in the reward"));
