// Unpacks panels of int4 and of bf16 into oneDNN's layout of f32, for matmuls of so many rows that unpacking a weight
// costs little beside them (unpacked_product.h). Single thread, no allocation, no oneDNN.
#pragma once

#include <cstdint>

#include "runtime/linear/row_kernel.h"

namespace retort::runtime {

/// Panels [first, last) of W [out,in] as f32, (code − zero point) · scale: [panel][stride_words][64] in `target`, as
/// packing.h describes it. Zeros from value `in` to stride_words, which is at least `in` rounded up to 8.
void unpack_int4(const Int4Panels& panels, std::int64_t first, std::int64_t last, std::int64_t in,
                 std::int64_t stride_words, float* target);

/// Panel `panel` of W [out,in]: [stride_words][64], the same way.
void unpack_bf16(const Bf16Panels& panels, std::int64_t panel, std::int64_t stride_words, float* target);

}  // namespace retort::runtime
