// preference.dpo: batches and parameters around dpo.h. DPO, cDPO, IPO and SimPO by parameter.
#include <cmath>
#include <retort/plugin.hpp>
#include <retort/preference.hpp>
#include <stdexcept>
#include <string>

#include "dpo.h"

namespace {

using retort::preference::PairLoss;

class Dpo : public retort::Preference {
 public:
  struct Params {
    double beta = 0.1;
    std::string loss = "sigmoid";
    double label_smoothing = 0;
    bool reference_free = false, length_normalised = false;
    double margin = 0;
  };
  static auto schema() {
    return retort::params<Params>()
        .number("beta", &Params::beta)
        .above(0)
        .doc("β: how strongly the policy is held to the reference (SimPO: 2 to 2.5)")
        .string("loss", &Params::loss)
        .one_of({"sigmoid", "ipo"})
        .doc("−log σ(β·d − margin), or (d − 1/(2β))², d being the difference of the pair's log-ratios")
        .number("label_smoothing", &Params::label_smoothing)
        .at_least(0)
        .below(0.5)
        .doc("with sigmoid: share of pairs that are thought to be the wrong way round (cDPO)")
        .boolean("reference_free", &Params::reference_free)
        .doc("leave the reference out: no reference model is loaded (SimPO)")
        .boolean("length_normalised", &Params::length_normalised)
        .doc("divide each sequence's log-ratio by its tokens (SimPO; IPO as some trainers have it)")
        .number("margin", &Params::margin)
        .at_least(0)
        .doc("with sigmoid: γ, by which the chosen answer should lead (SimPO: 0.5 to 1.5)");
  }

  explicit Dpo(const Params& params) {
    options_.beta = params.beta;
    options_.form = params.loss == "ipo" ? retort::preference::Form::ipo : retort::preference::Form::sigmoid;
    options_.label_smoothing = params.label_smoothing;
    options_.margin = params.margin;
    options_.reference = !params.reference_free;
    options_.by_length = params.length_normalised;
    check(options_);
  }

  retort::PreferenceRequirements requirements() const override {
    return {options_.reference ? RETORT_SIGNAL_REFERENCE_LOG_PROBS : 0, 0};
  }

  Result loss(const retort::PreferenceBatch& batch, const retort::PreferenceGradient& gradient) override {
    check_shapes(batch, gradient);
    double loss = 0, accuracy = 0, chosen = 0, rejected = 0;
    for (std::int64_t i = 0; i < batch.chosen.log_probs.rows(); ++i) {
      const double weight = batch.chosen.weights ? static_cast<double>(batch.chosen.weights[i]) : 1.0;
      const PairLoss pair = weight != 0 ? pair_of(batch, i) : PairLoss{};
      loss += weight * pair.loss;
      accuracy += pair.chosen_reward > pair.rejected_reward ? weight : 0;
      chosen += weight * pair.chosen_reward;
      rejected += weight * pair.rejected_reward;
      if (gradient.chosen) gradient.chosen[i] = static_cast<float>(weight * pair.by_chosen);
      if (gradient.rejected) gradient.rejected[i] = static_cast<float>(weight * pair.by_rejected);
    }
    return {loss,
            {{"accuracy", accuracy},
             {"margin", chosen - rejected},
             {"chosen_reward", chosen},
             {"rejected_reward", rejected}}};
  }

 private:
  PairLoss pair_of(const retort::PreferenceBatch& batch, std::int64_t i) const {
    const auto at = [i](const retort::TensorView<const float>& view, double absent) {
      return view ? static_cast<double>(view[i]) : absent;
    };
    const auto sequence = [&](const retort::PreferenceBatch::Side& side) {
      return retort::preference::Sequence{at(side.log_probs, 0), at(side.reference_log_probs, 0), at(side.lengths, 1)};
    };
    try {
      const PairLoss pair = retort::preference::pair_loss(options_, sequence(batch.chosen), sequence(batch.rejected));
      if (std::isfinite(pair.loss) && std::isfinite(pair.by_chosen) && std::isfinite(pair.by_rejected)) return pair;
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument("pair " + std::to_string(i) + ": " + error.what());
    }
    throw std::invalid_argument("pair " + std::to_string(i) + ": the loss is not finite; log-probability chosen " +
                                std::to_string(at(batch.chosen.log_probs, 0)) + ", rejected " +
                                std::to_string(at(batch.rejected.log_probs, 0)) +
                                "; if this is training that diverged, lower the learning rate");
  }

  void check_shapes(const retort::PreferenceBatch& batch, const retort::PreferenceGradient& gradient) const {
    const std::int64_t pairs = batch.chosen.log_probs.rows();
    const auto check_side = [&](const retort::PreferenceBatch::Side& side, const std::string& name) {
      expect_shape(side.log_probs, (name + "_log_probs").c_str(), pairs);
      if (options_.by_length) expect_shape(side.lengths, (name + "_lengths").c_str(), pairs);
      if (options_.reference)
        expect_shape(side.reference_log_probs, ("reference_" + name + "_log_probs").c_str(), pairs);
      if (side.weights) expect_shape(side.weights, (name + "_weights").c_str(), pairs);
    };
    check_side(batch.chosen, "chosen");
    check_side(batch.rejected, "rejected");
    if (gradient.chosen) expect_shape(gradient.chosen, "chosen_log_probs_gradient", pairs);
    if (gradient.rejected) expect_shape(gradient.rejected, "rejected_log_probs_gradient", pairs);
  }

  retort::preference::DpoOptions options_;
};

}  // namespace

RETORT_PLUGIN_LIST("dpo", "1.0.0", "Apache-2.0",
                   retort::component<Dpo>("preference.dpo", "1.0.0",
                                          "direct preference optimisation: DPO, with IPO's and SimPO's choices as "
                                          "parameters"));
