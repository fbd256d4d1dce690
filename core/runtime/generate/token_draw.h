// One draw from the distribution of logits, and its log-probability: what rollouts are made of. No filters (sampling.h
// has those), no sorting.
#pragma once

#include <cstdint>
#include <span>

#include "runtime/decoder/decoder.h"

namespace retort::runtime {

/// A number in [0,1), 53 bits, from a counter: draw t of row r for this seed. SplitMix64 (Steele et al. 2014,
/// https://doi.org/10.1145/2660193.2660195) over one after the other.
double draw_number(std::uint64_t seed, std::uint64_t row, std::uint64_t t);

struct DrawnToken {
  TokenId token = -1;         ///< −1: every logit is NaN
  float log_probability = 0;  ///< log_softmax(logits / temperature) of it over all V; at temperature 0 of logits
};

/// The first id, in order, at which the sum of the probabilities softmax(logits [V] / temperature) exceeds `number`
/// (inversion), up to f32's rounding; at temperature 0 the likeliest, ties to the smaller id. NaN logits are
/// impossible. No allocation; any thread.
DrawnToken draw_token(std::span<const float> logits, double temperature, double number);

/// The same in double and plain loops.
DrawnToken ref_draw_token(std::span<const float> logits, double temperature, double number);

}  // namespace retort::runtime
