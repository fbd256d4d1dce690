// Packs weights for the kernels: panels of 64 columns of 32-bit words, [panel][stride_words][64], which is oneDNN's
// layout for f32 (one value a word), bf16 (two) and int8 (four), and, with scales behind each group, that of
// row_kernel.h for int4 (eight). Straight from the mapped file, panels in parallel. No oneDNN.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/decoder/weights.h"
#include "runtime/linear/row_kernel.h"

namespace retort::runtime {

/// Values of a word: 1, 2, 4 or 8.
std::int64_t values_per_word(WeightForm form);
std::int64_t panels_of(std::int64_t out);

/// Packs a weight as `form` (f32 or bf16; f32 takes any weight) into `target`, which is zeroed. Throws as
/// require_finite. Parallel on the calling thread's OpenMP team.
void pack_floats(const LinearWeights& weights, WeightForm form, std::int64_t stride_words, std::byte* target);
/// The codes of an int8 weight, and the sum of each column's codes into `sums` [panels · 64].
void pack_int8(const LinearWeights& weights, std::int64_t stride_words, std::byte* target, std::int32_t* sums);
/// An int4 weight whose layout is `panels`; panels.data is not read. Scales are stored as `panels.scale_type`.
void pack_int4(const LinearWeights& weights, const Int4Panels& panels, std::byte* target);

/// Whether a part of an int4 weight has zero points, and those of all [panels][groups][64], 0 where there is no column.
bool has_zero_points(const LinearWeights& weights);
std::vector<std::int8_t> panel_zero_points(const LinearWeights& weights, const Int4Panels& panels);

/// The scales of an int8 weight [panels · 64], zero behind the last. Throws as finite_f32.
std::vector<float> row_scales(const LinearWeights& weights);
/// The type that holds the scales of all parts as they are.
ScaleType scale_type(const LinearWeights& weights);

}  // namespace retort::runtime
