// See row_scales.h.
#include "runtime/linear/row_scales.h"

#include <algorithm>

#include "runtime/kernels/parallel.h"
#include "runtime/kernels/vector_kernels.h"

namespace retort::runtime {

void scale_rows(std::int64_t rows, const float* row_scales, std::int64_t columns, float* out) {
  constexpr std::int64_t kBlock = 4096;
  const std::int64_t blocks = (columns + kBlock - 1) / kBlock;
  parallel_for(rows * blocks, rows * columns, [&](std::int64_t i, std::int64_t) {
    const std::int64_t row = i / blocks, column = i % blocks * kBlock;
    scale_row(row_scales[row], std::min(kBlock, columns - column), out + row * columns + column);
  });
}

void scale_panels(const PanelSpan& span, std::int64_t rows, const float* row_scales, std::int64_t columns, float* out) {
  const std::int64_t first = span.first * kPanelColumns, last = std::min(span.last * kPanelColumns, columns);
  for (std::int64_t row = 0; row < rows; ++row) scale_row(row_scales[row], last - first, out + row * columns + first);
}

}  // namespace retort::runtime
