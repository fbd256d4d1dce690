// Scales, zero points and codes of one row of weights, as all quantizers of this folder use them. No calibration pass,
// no matrix layout.
//
// symmetric   code = round(w / scale) in [−2^(bits−1), 2^(bits−1) − 1], zero point 0. Three conventions of the scale
//             share one file format (`Range`)
// asymmetric  scale = (max − min) / (2^bits − 1) over the weights and 0, zero = round(−min / scale),
//             code = round(w / scale) + zero in [0, 2^bits − 1]
// round goes to the nearest integer, ties to even. Then w ≈ scale·(code − zero).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace retort::quantize {

/// What a symmetric scale follows from; half = 2^(bits−1), w* the weight of the largest magnitude.
enum class Range {
  absolute_max,  ///< |w*| / (half − 1): the lowest code is not used
  half_step,     ///< |w*| / (half − 1/2), as compressed-tensors (quantization/utils/helpers.py, calculate_qparams)
  full,          ///< −w* / half, negative where w* > 0, as ggml's Q4_0 and AutoRound (data_type/int.py, rtn_int_sym)
};

struct CodeGrid {
  std::int32_t bits = 8;
  bool symmetric = true;
  std::int64_t group_size = 0;  ///< columns that share a scale; 0: the whole row
  Range range = Range::absolute_max;
  bool bf16_scales = false;       ///< groups' scales are rounded to bf16 before codes are chosen
  std::int64_t search_steps = 0;  ///< scales tried on either side of the range's own; 0: that one as it is

  std::int64_t width(std::int64_t columns) const { return group_size > 0 ? group_size : columns; }
  double lowest() const { return symmetric ? -static_cast<double>(1 << (bits - 1)) : 0; }
  double highest() const { return lowest() + (1 << bits) - 1; }
};

struct GroupScale {
  double scale = 1;  ///< codes use it in f64; what is stored is the nearest f32. Never 0; 1 for a group of zeros
  std::int32_t zero_point = 0;
};

/// The nearest bf16 number, ties to even, unless that is 0 or infinite.
double rounded_to_bf16(double scale);

/// Of weights between `low` ≤ 0 and `high` ≥ 0, as it is stored.
GroupScale scale_of_range(double low, double high, const CodeGrid& grid);

/// The scale of a group: the range's own or, with search_steps N, the best of scale/(1 − .75·k/N), k = −N…N, and of the
/// least-squares scale Σi·w·q/Σi·q² for the codes of each (AutoRound data_type/int.py, opt_rtn; N 100 is its grid), by
/// Σ i·(w − ŵ)². `importance` i ≥ 0 of every weight; empty: 1.
/// Throws std::invalid_argument for a weight that is not finite, naming its index in the group.
GroupScale group_scale(std::span<const float> weights, const CodeGrid& grid, std::span<const float> importance = {});

/// Those of a row [I] into `scales` [I / width].
void row_scales(std::span<const float> weights, const CodeGrid& grid, std::span<const float> importance,
                std::span<GroupScale> scales);

std::int32_t code_of(double weight, const GroupScale& group, const CodeGrid& grid);

/// scale·(code − zero), with the scale as stored.
double restored(std::int32_t code, const GroupScale& group);

/// One row of codes [I] and scales [I / width].
struct CodedRow {
  std::vector<std::int32_t> codes;
  std::vector<GroupScale> scales;

  CodedRow(std::int64_t columns, const CodeGrid& grid)
      : codes(static_cast<std::size_t>(columns)), scales(static_cast<std::size_t>(columns / grid.width(columns))) {}
};

/// Round to nearest: row_scales, then the nearest code of every weight.
void round_row(std::span<const float> weights, const CodeGrid& grid, std::span<const float> importance, CodedRow& row);

}  // namespace retort::quantize
