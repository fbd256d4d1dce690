// The product of a bf16 layer by a row kernel, which two kinds of layers use: those whose other rows are oneDNN's in
// bf16, and those whose processor has no such products.
#pragma once

#include "runtime/linear/linear.h"
#include "runtime/linear/panels.h"
#include "runtime/linear/row_kernel.h"

namespace retort::runtime {

/// product.out = product.in.values · Wᵀ, panels in parallel. `kernels` must have one for bf16.
inline void run_bf16_panels(const RowKernels& kernels, const Bf16Panels& panels, const LinearProduct& product) {
  // A product takes about so many times as long as one of int8, by which split_panels judges.
  constexpr std::int64_t kWork = 3;
  split_panels((panels.out + kPanelColumns - 1) / kPanelColumns, kWork * product.rows * panels.in * panels.out,
               product.preparation, {panels.data, panels.panel_bytes()}, [&](const PanelSpan& span) {
                 kernels.bf16(panels, span, product.rows, product.in.values, product.out);
               });
}

}  // namespace retort::runtime
