#include "pair_preference.h"

#include <cmath>
#include <stdexcept>
#include <string>

namespace retort::preference {

Preference::Result PairPreference::loss(const PreferenceBatch& batch, const PreferenceGradient& gradient) {
  check_shapes(batch, gradient);
  double loss = 0, accuracy = 0, chosen = 0, rejected = 0, nll = 0;
  for (std::int64_t i = 0; i < batch.chosen.log_probs.rows(); ++i) {
    const double weight = batch.chosen.weights ? static_cast<double>(batch.chosen.weights[i]) : 1.0;
    const PairLoss pair = weight != 0 ? checked_pair(batch, i) : PairLoss{};
    loss += weight * pair.loss;
    nll += weight * pair.nll;
    accuracy += pair.chosen_reward > pair.rejected_reward ? weight : 0;
    chosen += weight * pair.chosen_reward;
    rejected += weight * pair.rejected_reward;
    if (gradient.chosen) gradient.chosen[i] = static_cast<float>(weight * pair.by_chosen);
    if (gradient.rejected) gradient.rejected[i] = static_cast<float>(weight * pair.by_rejected);
  }
  Result result{loss,
                {{"accuracy", accuracy},
                 {"margin", chosen - rejected},
                 {"chosen_reward", chosen},
                 {"rejected_reward", rejected}}};
  if (nll != 0) result.metrics.emplace_back("nll", nll);
  return result;
}

PairLoss PairPreference::checked_pair(const PreferenceBatch& batch, std::int64_t i) const {
  const auto at = [i](const TensorView<const float>& view, double absent) {
    return view ? static_cast<double>(view[i]) : absent;
  };
  const auto sequence = [&](const PreferenceBatch::Side& side) {
    return Sequence{at(side.log_probs, 0), at(side.reference_log_probs, 0), at(side.lengths, 1)};
  };
  try {
    const PairLoss found = pair(sequence(batch.chosen), sequence(batch.rejected));
    if (std::isfinite(found.loss) && std::isfinite(found.by_chosen) && std::isfinite(found.by_rejected)) return found;
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument("pair " + std::to_string(i) + ": " + error.what());
  }
  throw std::invalid_argument("pair " + std::to_string(i) + ": the loss is not finite; log-probability chosen " +
                              std::to_string(at(batch.chosen.log_probs, 0)) + ", rejected " +
                              std::to_string(at(batch.rejected.log_probs, 0)) +
                              "; if this is training that diverged, lower the learning rate");
}

void PairPreference::check_shapes(const PreferenceBatch& batch, const PreferenceGradient& gradient) const {
  const std::int64_t pairs = batch.chosen.log_probs.rows();
  const auto check_side = [&](const PreferenceBatch::Side& side, const std::string& name) {
    expect_shape(side.log_probs, (name + "_log_probs").c_str(), pairs);
    if (inputs_.lengths) expect_shape(side.lengths, (name + "_lengths").c_str(), pairs);
    if (inputs_.reference) expect_shape(side.reference_log_probs, ("reference_" + name + "_log_probs").c_str(), pairs);
    if (side.weights) expect_shape(side.weights, (name + "_weights").c_str(), pairs);
  };
  check_side(batch.chosen, "chosen");
  check_side(batch.rejected, "rejected");
  if (gradient.chosen) expect_shape(gradient.chosen, "chosen_log_probs_gradient", pairs);
  if (gradient.rejected) expect_shape(gradient.rejected, "rejected_log_probs_gradient", pairs);
}

}  // namespace retort::preference
