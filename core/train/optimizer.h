// How gradients become changes of weights: AdamW, Muon, Adafactor, one contract for all. Internal to core/train.
// G gradient of a weight W, η the rate of its group, λ its decay; decay is decoupled: W ← (1 − ηλ)·W before the update.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "train/libtorch.h"
#include "train/parameter_groups.h"
#include "train/training_options.h"

namespace retort::train {

/// Changes weights in place. One thread.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  /// One update by the weights' gradients; a weight without one stays as it is. `rate` is the schedule's.
  virtual void step(double rate) = 0;
  /// All that it remembers, by names that begin with the optimiser's: what a checkpoint holds.
  virtual std::vector<std::pair<std::string, torch::Tensor>> state() const = 0;
  /// Fills `into` by name and shape; false where there is none of the name.
  using Read = std::function<bool(const std::string& name, torch::Tensor into)>;
  /// The opposite of state().
  virtual void restore(const Read& read) = 0;
};

/// As options.optimizer says:
/// - "adamw" (Loshchilov and Hutter, arXiv 1711.05101), β = (0.9, 0.95), ε = 1e-8;
/// - "muon" (Jordan 2024, with the scale of Liu et al., arXiv 2502.16982, eq. 4, so that rates and decays are AdamW's):
///   M ← 0.95·M + 0.05·G, W ← W − η·0.2·√max(O,I)·NS₅(0.05·G + 0.95·M) for the decoder's matrices but embedding and
///   head; AdamW for all else;
/// - "adafactor" (Shazeer and Stern, arXiv 1804.04235, algorithms 4 and 5, as torch.optim.Adafactor): the second
/// moments
///   of a matrix as the product of a row and a column, β₂ = 1 − t^-0.8, η·max(1e-3, rms(W)) as its step, updates
///   clipped at rms 1.
/// Throws std::invalid_argument for another name.
std::unique_ptr<Optimizer> make_optimizer(const ParameterGroups& groups, const TrainingOptions& options);

/// NS₅: five Newton-Schulz steps X ← aX + (bA + cA²)X, A = XXᵀ, (a,b,c) = (3.4445, −4.7750, 2.0315), from G/‖G‖: all
/// singular values come near 1. G [O,I] → [O,I].
torch::Tensor orthogonalised(const torch::Tensor& gradient);

}  // namespace retort::train
