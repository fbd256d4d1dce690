// The batch side of losses of pairs: shapes, weights, gradients and metrics. What one pair costs is the algorithm's.
#pragma once

#include <retort/preference.hpp>

#include "pair_loss.h"

namespace retort::preference {

/// What a loss reads of a batch beside the policy's log-probabilities.
struct PairInputs {
  bool reference = true;  ///< no reference model is loaded without it
  bool lengths = false;
};

class PairPreference : public Preference {
 public:
  explicit PairPreference(PairInputs inputs) : inputs_(inputs) {}
  PreferenceRequirements requirements() const override {
    return {inputs_.reference ? RETORT_SIGNAL_REFERENCE_LOG_PROBS : 0, 0};
  }
  /// Pairs of weight 0 are not looked at. Throws std::invalid_argument, naming the pair, for a loss that is not finite.
  Result loss(const PreferenceBatch& batch, const PreferenceGradient& gradient) final;

 protected:
  virtual PairLoss pair(const Sequence& chosen, const Sequence& rejected) const = 0;

 private:
  PairLoss checked_pair(const PreferenceBatch& batch, std::int64_t i) const;
  void check_shapes(const PreferenceBatch& batch, const PreferenceGradient& gradient) const;

  PairInputs inputs_;
};

/// Those that differ by pair_loss.h's options alone.
class PairLossPreference : public PairPreference {
 public:
  /// Throws as check() does.
  explicit PairLossPreference(const DpoOptions& options)
      : PairPreference({options.reference, options.by_length}), options_(options) {
    check(options_);
  }

 protected:
  PairLoss pair(const Sequence& chosen, const Sequence& rejected) const final {
    return pair_loss(options_, chosen, rejected);
  }

 private:
  DpoOptions options_;
};

}  // namespace retort::preference
