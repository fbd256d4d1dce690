// rl.grpo: batches and parameters around grpo.h. Covers GRPO, DAPO's and Dr.GRPO's variants by parameter; has no
// critic.
#include <algorithm>
#include <retort/plugin.hpp>
#include <retort/rl.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "grpo.h"
#include "token_sum.h"

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
    std::int64_t updates = 1, mini_batches = 1;
    double sampler_ratio_cap = 0;
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
        .doc("leave out groups whose rewards are all equal (DAPO)")
        .integer("updates", &Params::updates)
        .at_least(1)
        .doc("passes over one batch of rollouts; with 1 and one mini-batch every ratio is 1 and nothing is clipped")
        .integer("mini_batches", &Params::mini_batches)
        .at_least(1)
        .doc("optimiser steps of a pass")
        .number("sampler_ratio_cap", &Params::sampler_ratio_cap)
        .at_least(0)
        .doc(
            "truncated importance sampling: a token's policy loss is multiplied by min(π_trainer/π_sampler, cap), "
            "since the engine that samples is another program (3 is common); 0: off");
  }

  explicit Grpo(const Params& params) : params_(params) {
    using namespace retort::rl;
    options_.clip = {params.clip_low, params.clip_high};
    options_.kl_coefficient = params.kl_coefficient;
    options_.epsilon = params.epsilon;
    options_.scale = params.scale == "none" ? Scale::none : Scale::std_unbiased;
    options_.aggregation = aggregation_named(params.loss_aggregation);
  }

  retort::RlRequirements requirements() const override {
    retort::RlRequirements wanted;
    wanted.group_size = params_.group_size;
    wanted.updates = params_.updates;
    wanted.mini_batches = params_.mini_batches;
    if (options_.kl_coefficient > 0) wanted.signals |= RETORT_SIGNAL_REFERENCE_LOG_PROBS;
    if (params_.sampler_ratio_cap > 0) wanted.signals |= RETORT_SIGNAL_SAMPLER_LOG_PROBS;
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

  Result loss(const retort::RlBatch& batch, const retort::RlGradient& gradient) override {
    retort::rl::check_loss_batch(batch, gradient);
    const std::int64_t rows = batch.mask.rows(), positions = batch.mask.columns();
    if (options_.kl_coefficient > 0) expect_shape(batch.reference_log_probs, "reference_log_probs", rows, positions);
    if (params_.sampler_ratio_cap > 0) expect_shape(batch.sampler_log_probs, "sampler_log_probs", rows, positions);
    const retort::rl::TokenSum sum =
        retort::rl::sum_tokens(batch, gradient, options_.aggregation, [&](std::int64_t r, std::int64_t t) {
          const auto at = [r, t](const retort::TensorView<const float>& view) {
            return view ? static_cast<double>(view(r, t)) : 0.0;
          };
          const double correction = retort::rl::sampler_weight(params_.sampler_ratio_cap, at(batch.old_log_probs),
                                                               at(batch.sampler_log_probs));
          retort::rl::TokenTerms token;
          token.policy = token_loss(options_, correction * at(batch.advantages), at(batch.log_probs),
                                    at(batch.old_log_probs), at(batch.reference_log_probs));
          return token;
        });
    Result result{sum.loss, {{"clip_fraction", sum.clipped}}};
    if (options_.kl_coefficient > 0) result.metrics.emplace_back("kl", sum.kl);
    return result;
  }

 private:
  Params params_;
  retort::rl::GrpoOptions options_;
};

}  // namespace

RETORT_PLUGIN_LIST("grpo", "1.0.0", "Apache-2.0",
                   retort::component<Grpo>("rl.grpo", "1.0.0",
                                           "group-relative policy optimisation: GRPO, with DAPO's and Dr.GRPO's "
                                           "choices as parameters"));
