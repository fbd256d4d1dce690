// Products of codes times the scales of their rows.
#pragma once

#include <cstdint>

#include "runtime/linear/row_kernel.h"

namespace retort::runtime {

/// out [rows,columns] · row_scales, by all threads.
void scale_rows(std::int64_t rows, const float* row_scales, std::int64_t columns, float* out);
/// The same for the columns of some panels alone, by this thread.
void scale_panels(const PanelSpan& span, std::int64_t rows, const float* row_scales, std::int64_t columns, float* out);

}  // namespace retort::runtime
