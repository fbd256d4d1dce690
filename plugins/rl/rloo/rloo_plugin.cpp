// rl.rloo: batches and parameters around rloo.h.
#include <algorithm>
#include <cmath>
#include <retort/plugin.hpp>
#include <retort/rl.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "objective.h"
#include "rloo.h"

namespace {

using retort::rl::Aggregation;
using retort::rl::Ratio;

class Rloo : public retort::RlAlgorithm {
 public:
  struct Params : retort::rl::ObjectiveParams, retort::rl::ClipParams, retort::rl::KlParams {
    std::int64_t group_size = 4;
    std::string ratio = "sequence";
    bool clip_ratio = true;
    bool drop_equal_groups = false;
    Params() {
      kl_estimator = "k1";
      loss_aggregation = "sequence_sum";
    }
  };
  static auto schema() {
    auto set = retort::params<Params>();
    retort::rl::add_group_size(set, 2);
    retort::rl::add_kl(retort::rl::add_objective(retort::rl::add_clip(set)),
                       "β: β·KL(π‖π_ref), summed over the response's tokens, is taken off the reward before the "
                       "baseline; 0: off, no reference model is loaded");
    return set.string("ratio", &Params::ratio)
        .one_of({"sequence", "token"})
        .doc(
            "the probability ratio is that of the whole response (one action; knows loss_aggregation sequence_sum "
            "only), "
            "or each token's own")
        .boolean("clip", &Params::clip_ratio)
        .doc("clip the ratio as PPO does; without it the loss is −ratio·advantage")
        .boolean("drop_equal_groups", &Params::drop_equal_groups)
        .doc("leave out groups whose rewards (less the KL) are all equal; they teach nothing but count as rows");
  }

  explicit Rloo(const Params& params)
      : params_(params),
        ratio_(params.ratio == "token" ? Ratio::token : Ratio::sequence),
        objective_(params, {}),
        bounds_(params.clip()),
        clip_(params.clip_ratio ? &bounds_ : nullptr) {
    if (ratio_ != Ratio::sequence) return;
    const auto expect = [](const char* name, const char* expected, const std::string& found) {
      throw std::invalid_argument(std::string(name) + ": a response is one action with ratio \"sequence\": expected " +
                                  expected + ", found \"" + found + "\"; say ratio \"token\" for any other");
    };
    if (objective_.aggregation() != Aggregation::sequence_sum)
      expect("loss_aggregation", "\"sequence_sum\"", params.loss_aggregation);
    if (params.sampler_correction != "off" && params.sampler_level == "token")
      expect("sampler_level", "\"sequence_product\" or \"sequence_mean\"", params.sampler_level);
    if (params.sampler_correction == "icepop") expect("sampler_correction", "\"truncate\" or \"mask\"", "icepop");
  }

  retort::RlRequirements requirements() const override {
    retort::RlRequirements wanted;
    wanted.group_size = params_.group_size;
    objective_.add_to(wanted);
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
    if (ratio_ == Ratio::sequence) return sequence_loss(batch, gradient);
    return objective_.loss(batch, gradient, [this](const retort::rl::TokenInputs& at) {
      return retort::rl::clipped_surrogate(clip_, at.advantage, at.log_prob, at.old_log_prob);
    });
  }

 private:
  /// Σ_t of the estimate of KL(π_old‖π_ref) over the response.
  double response_kl(const retort::RlBatch& batch, std::int64_t r) const {
    double sum = 0;
    for (std::int64_t t = 0; t < batch.mask.columns(); ++t) {
      if (!(batch.mask(r, t) > 0)) continue;
      const double now = static_cast<double>(batch.old_log_probs(r, t));
      sum += retort::rl::divergence(kl_, now, static_cast<double>(batch.reference_log_probs(r, t)), now).value;
    }
    return sum;
  }

  Result sequence_loss(const retort::RlBatch& batch, const retort::RlGradient& gradient) const {
    objective_.check(batch, gradient);
    const double weight = retort::rl::token_weight(Aggregation::sequence_sum, 1,
                                                   {batch.update_rows, batch.update_tokens, batch.maximum_tokens});
    const retort::rl::Objective::Rows constants = objective_.rows(batch);
    double loss = 0, clipped = 0, ratio = 0;
    for (std::int64_t r = 0; r < batch.mask.rows(); ++r) {
      double now = 0, old = 0, advantage = 0;
      for (std::int64_t t = 0; t < batch.mask.columns(); ++t) {
        if (!(batch.mask(r, t) > 0)) continue;
        now += static_cast<double>(batch.log_probs(r, t));
        old += static_cast<double>(batch.old_log_probs(r, t));
        advantage = constants.weight(r, t) * static_cast<double>(batch.advantages(r, t));  // the same at every token
      }
      const auto response = retort::rl::clipped_surrogate(clip_, advantage, now, old);
      if (!std::isfinite(response.loss)) retort::rl::refuse_not_finite(batch, r, 0);
      loss += weight * response.loss;
      clipped += response.clipped ? weight : 0;
      ratio += weight * std::exp(now - old);
      for (std::int64_t t = 0; gradient.log_probs && t < batch.mask.columns(); ++t)
        gradient.log_probs(r, t) = batch.mask(r, t) > 0 ? static_cast<float>(weight * response.derivative) : 0.0F;
    }
    return {loss, {{"clip_fraction", clipped}, {"ratio", ratio}}};
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
  retort::rl::Objective objective_;
  retort::rl::Kl kl_ = retort::rl::kl_named(params_.kl_estimator);
  retort::rl::Clip bounds_;
  const retort::rl::Clip* clip_;  ///< nullptr: off
};

}  // namespace

RETORT_PLUGIN_LIST("rloo", "1.1.0", "Apache-2.0",
                   retort::component<Rloo>("rl.rloo", "1.1.0",
                                           "REINFORCE with the mean of the other samples as baseline, optional "
                                           "clipping and KL in the reward"));
