// See row_kernel.h.
#include "runtime/row_kernel.h"

#include <oneapi/dnnl/dnnl_types.h>

#include <array>

namespace retort::runtime {

std::span<const RowKernels> row_kernels() {
  static constexpr std::array<RowKernels, 3> table{{
#if defined(__x86_64__)
      {"avx512_vnni", dnnl_cpu_isa_avx512_core_vnni, int8_rows_avx512vnni, int4_rows_avx512vnni},
      {"avx2", dnnl_cpu_isa_avx2, int8_rows_avx2, int4_rows_avx2},
#endif
      {"scalar", 0, int8_rows_scalar, int4_rows_scalar},
  }};
  return table;
}

const RowKernels& row_kernels_for(unsigned instruction_set) {
  for (const RowKernels& kernels : row_kernels()) {
    if ((instruction_set & kernels.instruction_set) == kernels.instruction_set) return kernels;
  }
  return row_kernels().back();
}

}  // namespace retort::runtime
