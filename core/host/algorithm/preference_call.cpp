#include "host/algorithm/preference_call.h"

#include <cmath>
#include <limits>
#include <stdexcept>

#include "host/algorithm/component_failure.h"
#include "host/plugin/conformance_tensor.h"
#include "host/plugin/signal_names.h"

namespace retort::host {
namespace {

/// A vector as the component sees it.
struct Lent {
  explicit Lent(const std::vector<float>& values) : tensor(static_cast<std::int64_t>(values.size())) {
    for (std::size_t i = 0; i < values.size(); ++i) tensor.flat(static_cast<std::int64_t>(i)) = values[i];
  }
  std::vector<float> values() const {
    std::vector<float> all;
    for (std::int64_t i = 0; i < tensor.size(); ++i) all.push_back(tensor.flat(i));
    return all;
  }
  OwnedTensor<float> tensor;
};

struct LentSide {
  explicit LentSide(const PreferenceSide& side)
      : log_probs(side.log_probs),
        lengths(side.lengths),
        reference(side.reference_log_probs),
        weights(side.weights),
        gradient(std::vector<float>(side.log_probs.size(), std::numeric_limits<float>::quiet_NaN())) {}
  Lent log_probs, lengths, reference, weights, gradient;
};

void expect_side(const std::string& who, const PreferenceSide& side, bool with_reference) {
  const std::size_t count = side.log_probs.size();
  if (side.lengths.size() != count || side.weights.size() != count ||
      (with_reference && side.reference_log_probs.size() != count))
    throw std::invalid_argument(who + ": expected a length, a weight and a reference for each of " +
                                std::to_string(count) + " sequences");
}

void expect_finite(const std::string& what, const std::vector<float>& values) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i]))
      throw std::runtime_error(what + ": expected a finite number in every element, found " +
                               std::to_string(values[i]) + " in element " + std::to_string(i) +
                               " (elements that are not written stay NaN)");
}

}  // namespace

PreferenceCall::PreferenceCall(std::string id, retort_instance* instance, const retort_preference_v1& functions)
    : id_(std::move(id)), instance_(instance), functions_(functions) {
  wanted_.struct_size = sizeof(wanted_);
  throw_component_failure(functions_.requirements(instance_, &wanted_), id_ + ": requirements()");
  if (const std::string unknown = unknown_signals(wanted_.signals, preference_signals); !unknown.empty())
    throw std::invalid_argument(id_ + ": requirements(): asks for " + unknown +
                                ", which retort.preference/1 does not know; it knows " +
                                signal_names(preference_signals));
  if ((wanted_.flags & ~RETORT_PREFERENCE_UNPAIRED) != 0)
    throw std::invalid_argument(id_ + ": requirements(): unknown bits in flags: " + std::to_string(wanted_.flags));
}

PreferenceLoss PreferenceCall::loss(const PreferenceStep& step, const PreferencePart& part, bool with_gradient,
                                    PreferenceMetrics& metrics) const {
  expect_side(id_ + ": chosen", part.chosen, wants_reference());
  expect_side(id_ + ": rejected", part.rejected, wants_reference());
  if (!unpaired() &&
      (part.chosen.log_probs.size() != part.rejected.log_probs.size() || part.chosen.weights != part.rejected.weights))
    throw std::invalid_argument(id_ + ": expected pairs of one weight each, found " +
                                std::to_string(part.chosen.log_probs.size()) + " chosen and " +
                                std::to_string(part.rejected.log_probs.size()) + " rejected sequences");
  LentSide chosen(part.chosen), rejected(part.rejected);
  retort_preference_batch batch{};
  batch.struct_size = sizeof(batch);
  batch.chosen_log_probs = chosen.log_probs.tensor.input();
  batch.rejected_log_probs = rejected.log_probs.tensor.input();
  batch.chosen_lengths = chosen.lengths.tensor.input();
  batch.rejected_lengths = rejected.lengths.tensor.input();
  if (wants_reference()) batch.reference_chosen_log_probs = chosen.reference.tensor.input();
  if (wants_reference()) batch.reference_rejected_log_probs = rejected.reference.tensor.input();
  batch.chosen_weights = chosen.weights.tensor.input();
  batch.rejected_weights = rejected.weights.tensor.input();
  batch.step_weight = step.weight;
  batch.step = step.number;
  batch.total_steps = step.total;

  const retort_metric_sink sink{sizeof(sink), 0, &metrics, [](void* context, retort_string name, double value) {
                                  (*static_cast<PreferenceMetrics*>(context))[std::string(name.data, name.size)] +=
                                      value;
                                }};
  retort_preference_result result{};
  result.struct_size = sizeof(result);
  result.loss = std::numeric_limits<double>::quiet_NaN();
  if (with_gradient) result.chosen_log_probs_gradient = chosen.gradient.tensor.output();
  if (with_gradient) result.rejected_log_probs_gradient = rejected.gradient.tensor.output();
  result.metrics = &sink;
  throw_component_failure(functions_.loss(instance_, &batch, &result), id_ + ": loss()");
  if (!std::isfinite(result.loss))
    throw std::runtime_error(id_ + ": loss(): expected a finite loss, found " + std::to_string(result.loss));
  PreferenceLoss loss{result.loss, {}, {}};
  if (!with_gradient) return loss;
  loss.by_chosen = chosen.gradient.values();
  loss.by_rejected = rejected.gradient.values();
  expect_finite(id_ + ": loss(): gradient by chosen log_probs", loss.by_chosen);
  expect_finite(id_ + ": loss(): gradient by rejected log_probs", loss.by_rejected);
  return loss;
}

}  // namespace retort::host
