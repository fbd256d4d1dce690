// How likely the model found a token and its rivals: the log of the softmax of its logits. No sampling.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/decoder/decoder.h"

namespace retort::runtime {

struct TokenLogProbability {
  TokenId token = 0;
  double log_probability = 0;  ///< natural logarithm
};

struct LogProbabilities {
  TokenLogProbability chosen;
  std::vector<TokenLogProbability> top;  ///< the likeliest first; equals by id
};

/// Of the model itself: before bias, penalty, temperature and filters. NaN logits count as impossible. `chosen` is
/// below logits.size().
LogProbabilities log_probabilities(std::span<const float> logits, TokenId chosen, std::int64_t top);

}  // namespace retort::runtime
