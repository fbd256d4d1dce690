// preference.kto: batches and parameters around kto.h.
#include <cmath>
#include <retort/plugin.hpp>
#include <retort/preference.hpp>
#include <stdexcept>
#include <string>

#include "kto.h"

namespace {

using retort::preference::KtoOptions;
using retort::preference::SequenceLoss;

class Kto : public retort::Preference {
 public:
  using Params = KtoOptions;
  static auto schema() {
    return retort::params<Params>()
        .number("beta", &Params::beta)
        .above(0)
        .doc("β: how strongly the policy is held to the reference")
        .number("good_weight", &Params::good_weight)
        .at_least(0)
        .doc("λ of good answers; weigh the rarer kind up, so that both together weigh alike")
        .number("bad_weight", &Params::bad_weight)
        .at_least(0)
        .doc("λ of bad answers")
        .number("reference_point", &Params::reference_point)
        .at_least(0)
        .doc("z₀: log-ratio that counts as neither better nor worse; a constant, where the paper estimates it");
  }
  explicit Kto(const Params& params) : options_(params) {}

  retort::PreferenceRequirements requirements() const override {
    return {RETORT_SIGNAL_REFERENCE_LOG_PROBS, RETORT_PREFERENCE_UNPAIRED};
  }

  Result loss(const retort::PreferenceBatch& batch, const retort::PreferenceGradient& gradient) override {
    Sums good, bad;
    side_loss(batch.chosen, gradient.chosen, true, "chosen", good);
    side_loss(batch.rejected, gradient.rejected, false, "rejected", bad);
    return {good.loss + bad.loss, {{"chosen_reward", good.reward}, {"rejected_reward", bad.reward}}};
  }

 private:
  struct Sums {
    double loss = 0, reward = 0;
  };

  void side_loss(const retort::PreferenceBatch::Side& side, const retort::TensorView<float>& gradient, bool good,
                 const std::string& name, Sums& sums) const {
    const std::int64_t rows = side.log_probs.rows();
    if (rows > 0) expect_shape(side.reference_log_probs, ("reference_" + name + "_log_probs").c_str(), rows);
    if (side.weights) expect_shape(side.weights, (name + "_weights").c_str(), rows);
    if (gradient) expect_shape(gradient, (name + "_log_probs_gradient").c_str(), rows);
    for (std::int64_t i = 0; i < rows; ++i) {
      const double weight = side.weights ? static_cast<double>(side.weights[i]) : 1.0;
      const SequenceLoss found = weight != 0 ? sequence_loss(side, i, good, name) : SequenceLoss{};
      sums.loss += weight * found.loss;
      sums.reward += weight * found.reward;
      if (gradient) gradient[i] = static_cast<float>(weight * found.by_log_prob);
    }
  }

  SequenceLoss sequence_loss(const retort::PreferenceBatch::Side& side, std::int64_t i, bool good,
                             const std::string& name) const {
    const SequenceLoss found = retort::preference::kto_loss(options_, good, static_cast<double>(side.log_probs[i]),
                                                            static_cast<double>(side.reference_log_probs[i]));
    if (std::isfinite(found.loss) && std::isfinite(found.reward)) return found;
    throw std::invalid_argument(name + " answer " + std::to_string(i) + ": the loss is not finite; log-probability " +
                                std::to_string(side.log_probs[i]) + ", of the reference " +
                                std::to_string(side.reference_log_probs[i]) +
                                "; if this is training that diverged, lower the learning rate");
  }

  KtoOptions options_;
};

}  // namespace

RETORT_PLUGIN_LIST("kto", "1.0.0", "Apache-2.0",
                   retort::component<Kto>("preference.kto", "1.0.0",
                                          "answers that are good or bad by themselves (KTO with a constant reference "
                                          "point, APO-zero)"));
