// What zero points take off a product of int4 codes: w = (code − zero) · scale, so that
// y = Σ code · scale · x − Σ over groups of scale · zero · Σ x of the group. Row kernels give the first sum.
#pragma once

#include <cstdint>

#include "runtime/linear/row_kernel.h"

namespace retort::runtime {

/// out[row · weights.out + column] −= Σ over groups of scale · zero · (128 · the high plane's sum + the low one's), for
/// the columns of the span; `sums` [rows][2][groups] are Int4Rows::sums. Sums are exact in f32, scale · zero is rounded
/// once, and groups are added in f32, in order: a row gets the same bits beside any others. Single thread, no
/// allocation.
void subtract_zero_points(const Int4Panels& weights, const PanelSpan& span, std::int64_t rows, const std::int32_t* sums,
                          float* out);

/// The same in plain loops.
void ref_subtract_zero_points(const Int4Panels& weights, const PanelSpan& span, std::int64_t rows,
                              const std::int32_t* sums, float* out);

}  // namespace retort::runtime
