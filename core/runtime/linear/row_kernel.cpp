// See row_kernel.h.
#include "runtime/linear/row_kernel.h"

#include <oneapi/dnnl/dnnl_types.h>

#include <array>

namespace retort::runtime {
namespace {

// As measured (docs/measurements/kernels.md).
constexpr std::int64_t kEveryRow = 1'000'000;
constexpr Int8Limits kZen4{
    .small = {6, kEveryRow}, .cached = {1, 8}, .short_panels = {16, 16}, .long_panels = {16, 8}, .head = {16, 64}};
constexpr Int8Limits kZen5{
    .small = {4, 2}, .cached = {4, 2}, .short_panels = {4, 2}, .long_panels = {4, 2}, .head = {4, 2}};
constexpr Int8Limits kIntel{
    .small = {8, 4}, .cached = {8, 4}, .short_panels = {8, 8}, .long_panels = {8, 8}, .head = {8, 8}};
// These never share a layer with oneDNN.
constexpr Int8Limits kAlone{};

// As measured (docs/measurements/kernels.md): on Zen 4 every prefetch of ours costs speed.
Fetching best_fetching() {
#if defined(__x86_64__)
  if (__builtin_cpu_is("znver5") != 0) return Fetching::ahead;
  if (__builtin_cpu_is("intel") != 0) return Fetching::next_panel;
#endif
  return Fetching::by_hardware;
}

}  // namespace

std::span<const RowKernels> row_kernels() {
  static constexpr std::array table{
#if defined(__x86_64__)
      RowKernels{"avx512_vnni_next", dnnl_cpu_isa_avx512_core_vnni, true, Fetching::next_panel, kIntel,
                 int8_rows_avx512vnni_next, int4_rows_avx512gfni_next, nullptr, bf16_rows_avx2_ahead},
      RowKernels{"avx512_vnni_ahead", dnnl_cpu_isa_avx512_core_vnni, false, Fetching::ahead, kZen5,
                 int8_rows_avx512vnni_ahead, int4_rows_avx512vnni_ahead, nullptr, bf16_rows_avx2_ahead},
      RowKernels{"avx512_vnni", dnnl_cpu_isa_avx512_core_vnni, false, Fetching::by_hardware, kZen4,
                 int8_rows_avx512vnni, int4_rows_avx512vnni, nullptr, bf16_rows_avx2},
      RowKernels{"avx2", dnnl_cpu_isa_avx2, false, Fetching::by_hardware, kAlone, int8_rows_avx2, int4_rows_avx2,
                 join_codes_avx2, bf16_rows_avx2_ahead},
#endif
      RowKernels{"scalar", 0, false, Fetching::by_hardware, kAlone, int8_rows_scalar, int4_rows_scalar},
  };
  return table;
}

bool can_run(const RowKernels& kernels, unsigned instruction_set) {
  if ((instruction_set & kernels.instruction_set) != kernels.instruction_set) return false;
#if defined(__x86_64__)
  if (kernels.gfni) return __builtin_cpu_supports("gfni") != 0;
#endif
  return true;
}

const RowKernels& row_kernels_for(unsigned instruction_set) {
  for (const RowKernels& kernels : row_kernels()) {
    if (kernels.fetching != Fetching::by_hardware && kernels.fetching != best_fetching()) continue;
    if (can_run(kernels, instruction_set)) return kernels;
  }
  return row_kernels().back();
}

}  // namespace retort::runtime
