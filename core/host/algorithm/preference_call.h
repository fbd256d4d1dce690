// How the host calls a preference loss (retort.preference/1), in stages and in `plugins check` alike. C chosen and J
// rejected sequences of a part.
#pragma once

#include <retort/abi/preference.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace retort::host {

/// Every signal that retort.preference/1 knows.
inline constexpr std::uint64_t preference_signals = RETORT_SIGNAL_REFERENCE_LOG_PROBS;

/// The chosen sequences of a part, or the rejected ones: a number for each. Reference log-probabilities may be empty
/// where they were not asked for, and are not shown then.
struct PreferenceSide {
  std::vector<float> log_probs, lengths, reference_log_probs, weights;
};

/// Pair i is row i of both sides, unless the loss takes sequences that are not paired.
struct PreferencePart {
  PreferenceSide chosen, rejected;
};

/// What all parts of an optimiser step share.
struct PreferenceStep {
  double weight = 0;  ///< of all pairs (of all sequences where they are not paired)
  std::int64_t number = 0, total = 0;
};

struct PreferenceLoss {
  double loss = 0;                            ///< Σ weight·loss_pair
  std::vector<float> by_chosen, by_rejected;  ///< d loss / d log_probs; empty where only the value was wanted
};

using PreferenceMetrics = std::map<std::string, double>;

/// Borrows the component; one thread at a time. Functions throw std::invalid_argument, std::runtime_error or
/// retort::Stopped, beginning with the component's id: what it returned, or what of the contract it broke.
class PreferenceCall {
 public:
  /// Asks for the requirements; checked: known signals and flags.
  PreferenceCall(std::string id, retort_instance* instance, const retort_preference_v1& functions);

  const std::string& id() const { return id_; }
  bool wants_reference() const { return (wanted_.signals & RETORT_SIGNAL_REFERENCE_LOG_PROBS) != 0; }
  bool unpaired() const { return (wanted_.flags & RETORT_PREFERENCE_UNPAIRED) != 0; }
  /// Throws std::invalid_argument for sides whose vectors differ in length, or, where paired, in number or weight.
  /// Checked of the result: value and gradients written and finite.
  PreferenceLoss loss(const PreferenceStep& step, const PreferencePart& part, bool with_gradient,
                      PreferenceMetrics& metrics) const;

 private:
  std::string id_;
  retort_instance* instance_;
  const retort_preference_v1& functions_;
  retort_preference_requirements wanted_{};
};

}  // namespace retort::host
