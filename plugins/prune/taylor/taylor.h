// What the loss does when a channel or head goes, to first order (Molchanov et al., arXiv 1906.10771, equations 3 to 8;
// LLM-Pruner, arXiv 2305.11627, section 3.2). A factor m on a channel is a factor on the weights that read it, so that
// ∂L/∂m = Σ w·∂L/∂w over them, and going from m = 1 to 0 costs about −∂L/∂m.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace retort::prune {

enum class TaylorMeasure : std::uint8_t {
  first_order,  ///< |Σ w·g|: of the channel as a whole; what its weights do in opposite directions cancels
  elements,     ///< Σ |w·g|: of its weights one by one
  fisher,       ///< Σ w²·f/2, f the mean squared gradient of single sequences: second order, the diagonal of the
                ///< empirical Fisher information in place of the Hessian's
};

/// Sums over what reads each channel: `weights` and `gradients` (mean squared ones for fisher) are [R,C], rows of
/// `columns` that lie one after the other.
class TaylorImportance {
 public:
  TaylorImportance(TaylorMeasure measure, std::int64_t columns);
  /// Throws std::invalid_argument for a number that is not finite, naming row and column.
  void add(std::span<const float> weights, std::span<const float> gradients);
  /// Of `group` neighbouring columns each: channels (1) or heads (head_dim times query heads a kv head).
  std::vector<float> of_groups(std::int64_t group) const;

 private:
  TaylorMeasure measure_;
  std::vector<double> sums_;  ///< [C]
};

}  // namespace retort::prune
