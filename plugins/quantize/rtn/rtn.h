// Round-to-nearest quantisation of one group of weights. No calibration, no matrix layout.
//
// symmetric   scale = max|w| / (2^(bits−1) − 1), code = round(w / scale) in [−2^(bits−1), 2^(bits−1) − 1], zero point 0
// asymmetric  scale = (max − min) / (2^bits − 1) over the weights and 0, zero = round(−min / scale),
//             code = round(w / scale) + zero in [0, 2^bits − 1]
// round goes to the nearest integer, ties to even (nearbyint). Then w ≈ scale·(code − zero).
#pragma once

#include <cstdint>
#include <span>

namespace retort::quantize {

struct GroupScale {
  double scale = 1;  ///< codes use it in f64; what is stored is the nearest f32. 1 for a group of zeros
  std::int32_t zero_point = 0;
};

/// The scale rounded to bf16 (nearest, ties to even), so that codes chosen with it are those of what is stored.
GroupScale rounded_to_bf16(GroupScale group);

/// Of weights between `low` ≤ 0 and `high` ≥ 0.
GroupScale scale_of_range(double low, double high, std::int32_t bits, bool symmetric);

/// Throws std::invalid_argument for a weight that is not finite, naming its index in the group.
GroupScale group_scale(std::span<const float> weights, std::int32_t bits, bool symmetric);

std::int32_t code_of(double weight, const GroupScale& group, std::int32_t bits, bool symmetric);

/// scale·(code − zero), with the scale as stored.
double restored(std::int32_t code, const GroupScale& group);

}  // namespace retort::quantize
