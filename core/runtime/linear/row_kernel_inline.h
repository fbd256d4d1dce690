// What row kernels are written with so that sums stay in registers. Inlined wherever it is used, so that it may enter
// files that are compiled with instructions of their own.
#pragma once

#define RETORT_INLINE __attribute__((always_inline))

namespace retort::runtime {

// f(0), …, f(N − 1) as straight code. A loop, even one with an unroll pragma, is unrolled after the pass that could
// have kept arrays of accumulators in registers.
template <int N, class Function>
RETORT_INLINE inline void repeat(Function f) {
  if constexpr (N > 0) {
    repeat<N - 1>(f);
    f(N - 1);
  }
}

}  // namespace retort::runtime
