// What a model says of the tokens of responses: log-probabilities, entropies, values. Internal to core/train. r rows, T
// response positions, D hidden, V vocabulary.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "train/decoder_module.h"
#include "train/libtorch.h"
#include "train/parameter_groups.h"
#include "train/sequences.h"

namespace retort::train {

/// A critic on the policy's final hidden state (Schulman et al., arXiv 1707.06347, section 5, with shared weights): the
/// value of a position is that of the state that its token is drawn from.
class ValueHead {
 public:
  /// Weights normal with standard deviation 1/(D+1), from `seed` alone; bias 0.
  ValueHead(std::int64_t hidden_size, std::uint64_t seed, torch::Device device = torch::kCPU);
  torch::Tensor values(const torch::Tensor& hidden) const;  ///< [N,D] → [N]
  ParameterGroup group() const;                             ///< "value_head"

 private:
  torch::Tensor weight_, bias_;  ///< [1,D], [1]
};

/// [r,T] each, 0 where a row has no token of the policy's own (its sequence's mask); undefined where not asked for.
struct ResponseSignals {
  torch::Tensor log_probs;  ///< log_softmax(logits / temperature) of the response's tokens
  torch::Tensor entropies;  ///< −Σ p·log p of the same distribution
  torch::Tensor values;
};

struct SignalOptions {
  double temperature = 1;
  bool entropies = false;
  const ValueHead* value_head = nullptr;  ///< none: no values
  std::string precision = "f32";          ///< of matrix products, or "bf16"
};

/// TrainingOptions::precision where log-probabilities of several passes are compared: half precision only where it is
/// asked for by name, since passes of other shapes round otherwise, which looks like a ratio.
inline std::string compared_precision(const std::string& precision) {
  return precision == "auto" ? "f32" : precision;
}

/// T = `positions`, at least the longest response of `rows`. A response is never empty. Logits [N,V] of a large
/// vocabulary are there a few rows at a time (row_chunks.h), and are computed again in the backward pass.
ResponseSignals response_signals(DecoderModule& decoder, const std::vector<Sequence>& sequences,
                                 std::span<const std::size_t> rows, std::int64_t positions,
                                 const SignalOptions& options);

}  // namespace retort::train
