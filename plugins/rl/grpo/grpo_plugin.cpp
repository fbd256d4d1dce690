// rl.grpo: batches and parameters around grpo.h. Covers GRPO, DAPO's and Dr.GRPO's variants by parameter; has no
// critic.
#include <algorithm>
#include <cmath>
#include <retort/plugin.hpp>
#include <retort/rl.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "grpo.h"

namespace {

class Grpo : public retort::RlAlgorithm {
 public:
  struct Params {
    double clip_low = 0.2, clip_high = 0.2;
    double kl_coefficient = 0;
    std::int64_t group_size = 8;
    double epsilon = 1e-4;
    std::string scale = "std_unbiased";
    std::string loss_aggregation = "token_mean";
    bool drop_equal_groups = true;
  };
  static auto schema() {
    return retort::params<Params>()
        .number("clip_low", &Params::clip_low)
        .above(0)
        .below(1)
        .doc("the probability ratio is clipped below at 1 − clip_low")
        .number("clip_high", &Params::clip_high)
        .above(0)
        .doc("and above at 1 + clip_high (DAPO: 0.28)")
        .number("kl_coefficient", &Params::kl_coefficient)
        .at_least(0)
        .doc("weight of the k3 estimate of KL(policy ‖ reference); 0: off, no reference model is loaded")
        .integer("group_size", &Params::group_size)
        .at_least(2)
        .doc("samples of each prompt")
        .number("epsilon", &Params::epsilon)
        .at_least(0)
        .doc("added to the standard deviation of a group's rewards")
        .string("scale", &Params::scale)
        .one_of({"std_unbiased", "none"})
        .doc("divide advantages by the group's unbiased standard deviation, or not at all (Dr.GRPO)")
        .string("loss_aggregation", &Params::loss_aggregation)
        .one_of({"token_mean", "sequence_mean", "maximum_length"})
        .doc(
            "mean over the update's tokens (DAPO), mean over rows of the mean over tokens (GRPO), or sum over tokens "
            "divided by the longest response allowed (Dr.GRPO)")
        .boolean("drop_equal_groups", &Params::drop_equal_groups)
        .doc("leave out groups whose rewards are all equal (DAPO)");
  }

  explicit Grpo(const Params& params) : params_(params) {
    using namespace retort::rl;
    options_.clip_low = params.clip_low;
    options_.clip_high = params.clip_high;
    options_.kl_coefficient = params.kl_coefficient;
    options_.epsilon = params.epsilon;
    options_.scale = params.scale == "none" ? Scale::none : Scale::std_unbiased;
    options_.aggregation = params.loss_aggregation == "token_mean"      ? Aggregation::token_mean
                           : params.loss_aggregation == "sequence_mean" ? Aggregation::sequence_mean
                                                                        : Aggregation::maximum_length;
  }

  retort::RlRequirements requirements() const override {
    retort::RlRequirements wanted;
    wanted.group_size = params_.group_size;
    if (options_.kl_coefficient > 0) wanted.signals = RETORT_SIGNAL_REFERENCE_LOG_PROBS;
    return wanted;
  }

  retort::Metrics advantages(const retort::RlBatch& batch, const retort::RlAdvantages& out) override {
    const std::int64_t rows = batch.mask.rows(), positions = batch.mask.columns(), group = params_.group_size;
    expect_shape(batch.mask, "mask", rows, positions);
    expect_shape(batch.rewards, "rewards", rows);
    expect_shape(out.advantages, "advantages", rows, positions);
    if (out.keep) expect_shape(out.keep, "keep", rows);
    if (rows % group != 0)
      throw std::invalid_argument("rewards: expected a multiple of the group size " + std::to_string(group) +
                                  ", found " + std::to_string(rows) + " rows");
    std::vector<float> rewards(static_cast<std::size_t>(group));
    std::vector<double> scores(static_cast<std::size_t>(group));
    double reward = 0;
    std::int64_t equal = 0;
    for (std::int64_t first = 0; first < rows; first += group) {
      for (std::int64_t g = 0; g < group; ++g)
        reward += static_cast<double>(rewards[static_cast<std::size_t>(g)] = batch.rewards[first + g]);
      const bool differ = retort::rl::group_advantages(options_, rewards, scores);
      equal += differ ? 0 : 1;
      for (std::int64_t g = 0; g < group; ++g) {
        if (out.keep && !differ && params_.drop_equal_groups) out.keep[first + g] = 0.0f;
        for (std::int64_t t = 0; t < positions; ++t)
          out.advantages(first + g, t) =
              static_cast<float>(scores[static_cast<std::size_t>(g)]) * batch.mask(first + g, t);
      }
    }
    return {{"mean_reward", reward / static_cast<double>(std::max<std::int64_t>(rows, 1))},
            {"equal_groups", static_cast<double>(equal)},
            {"dropped_groups", params_.drop_equal_groups ? static_cast<double>(equal) : 0.0}};
  }

  /// Metrics are shares of the update, so that those of an update's parts add up.
  Result loss(const retort::RlBatch& batch, const retort::RlGradient& gradient) override {
    check_shapes(batch, gradient.log_probs);
    const retort::rl::UpdateSize update{batch.update_rows, batch.update_tokens, batch.maximum_tokens};
    double loss = 0, clipped = 0, kl = 0;
    for (std::int64_t r = 0; r < batch.log_probs.rows(); ++r) {
      double tokens = 0;
      for (std::int64_t t = 0; t < batch.mask.columns(); ++t) tokens += static_cast<double>(batch.mask(r, t));
      const double weight = tokens > 0 ? retort::rl::token_weight(options_, tokens, update) : 0;
      for (std::int64_t t = 0; t < batch.mask.columns(); ++t) {
        const double mask = static_cast<double>(batch.mask(r, t));
        const retort::rl::TokenLoss token = mask > 0 ? token_loss(batch, r, t) : retort::rl::TokenLoss{};
        loss += weight * mask * token.loss;
        clipped += token.clipped ? mask : 0;
        kl += mask * token.kl;
        if (gradient.log_probs) gradient.log_probs(r, t) = static_cast<float>(weight * mask * token.derivative);
      }
    }
    const auto update_tokens = static_cast<double>(std::max<std::int64_t>(update.tokens, 1));
    Result result{loss, {{"clip_fraction", clipped / update_tokens}}};
    if (options_.kl_coefficient > 0) result.metrics.emplace_back("kl", kl / update_tokens);
    return result;
  }

 private:
  retort::rl::TokenLoss token_loss(const retort::RlBatch& batch, std::int64_t r, std::int64_t t) const {
    const double reference = options_.kl_coefficient > 0 ? static_cast<double>(batch.reference_log_probs(r, t)) : 0.0;
    const auto token = retort::rl::token_loss(options_, static_cast<double>(batch.advantages(r, t)),
                                              static_cast<double>(batch.log_probs(r, t)),
                                              static_cast<double>(batch.old_log_probs(r, t)), reference);
    if (!std::isfinite(token.loss) || !std::isfinite(token.derivative))
      throw std::invalid_argument("row " + std::to_string(r) + ", position " + std::to_string(t) +
                                  ": the loss is not finite; advantage " + std::to_string(batch.advantages(r, t)) +
                                  ", log-probability " + std::to_string(batch.log_probs(r, t)) + ", when sampled " +
                                  std::to_string(batch.old_log_probs(r, t)) +
                                  "; if this is training that diverged, lower the learning rate");
    return token;
  }

  void check_shapes(const retort::RlBatch& batch, const retort::TensorView<float>& gradient) const {
    const std::int64_t rows = batch.log_probs.rows(), positions = batch.log_probs.columns();
    expect_shape(batch.log_probs, "log_probs", rows, positions);
    expect_shape(batch.mask, "mask", rows, positions);
    expect_shape(batch.old_log_probs, "old_log_probs", rows, positions);
    expect_shape(batch.advantages, "advantages", rows, positions);
    if (options_.kl_coefficient > 0) expect_shape(batch.reference_log_probs, "reference_log_probs", rows, positions);
    if (gradient) expect_shape(gradient, "log_probs_gradient", rows, positions);
  }

  Params params_;
  retort::rl::GrpoOptions options_;
};

}  // namespace

RETORT_PLUGIN_LIST("grpo", "1.0.0", "Apache-2.0",
                   retort::component<Grpo>("rl.grpo", "1.0.0",
                                           "group-relative policy optimisation: GRPO, with DAPO's and Dr.GRPO's "
                                           "choices as parameters"));
