// Advantages relative to a prompt's other samples: one number for every row of a step.
//
//   A = (r − mean) / (std + ε), std unbiased         (DeepSeekMath, arXiv 2402.03300, eq. 3 and section 4.1.2)
//   A = r − mean                                     (Dr.GRPO, arXiv 2503.20783, section 3.2)
//   A = whitened Σ_k w_k·A_k, each named reward k normalised in its group by itself, the sums over the step's samples,
//       or over its tokens                           (GDPO, arXiv 2601.05242)
#pragma once

#include <retort/rl.hpp>
#include <span>
#include <vector>

#include "options.h"

namespace retort::rl {

enum class Scale { std_unbiased, none };

/// Writes the advantage of each of the G ≥ 2 samples; returns whether the rewards differ, without which there is
/// nothing to learn (all advantages are then exactly 0). Throws std::invalid_argument for a reward that is not finite.
bool group_advantages(Scale scale, double epsilon, std::span<const double> rewards, std::span<double> advantages);

/// What becomes of the rewards of a step.
class GroupRewards {
 public:
  /// Throws std::invalid_argument, naming the parameter, for what does not fit together.
  explicit GroupRewards(const GroupParams& params);

  struct Scores {
    std::vector<double> advantages;  ///< [R]
    std::vector<bool> equal;         ///< [R / G]: the group's rewards are all equal, its advantages exactly 0
  };
  /// `penalties`: [R], added to the rewards of groups whose own rewards differ; empty: none. Throws
  /// std::invalid_argument, naming tensor or parameter, for shapes and numbers that do not fit.
  Scores scores(const RlBatch& batch, std::span<const double> penalties) const;

  /// Writes scores to every token of the mask, 0 elsewhere, and keep where equal groups are dropped.
  Metrics write(const RlBatch& batch, const Scores& scores, const RlAdvantages& out) const;
  std::int64_t group_size() const { return params_.group_size; }

 private:
  Scores added(const RlBatch& batch, std::span<const double> penalties) const;
  Scores each(const RlBatch& batch, std::span<const double> penalties) const;
  void normalise_step(const RlBatch& batch, Scores& scores) const;

  GroupParams params_;
  Scale scale_;
};

}  // namespace retort::rl
