// Splits the panels of a packed weight among the engine's OpenMP team.
#pragma once

#include <omp.h>

#include <cstdint>

namespace retort::runtime {

/// Multiply-adds above which a fork and a join (1 to 2 µs) are worth it: half a megabyte of int8 weights takes 10 µs.
inline constexpr std::int64_t kSplitWork = 500'000;

/// body(first, last) for consecutive ranges that cover [0, panels), on as many threads as the calling thread's team
/// has. `work` is that of all panels. The body must not throw.
template <class Body>
void split_panels(std::int64_t panels, [[maybe_unused]] std::int64_t work, const Body& body) {
#ifndef __SANITIZE_THREAD__  // as in parallel.h
  if (panels > 1 && work >= kSplitWork && omp_get_max_threads() > 1) {
#pragma omp parallel
    {
      const std::int64_t thread = omp_get_thread_num(), threads = omp_get_num_threads();
      body(panels * thread / threads, panels * (thread + 1) / threads);
    }
    return;
  }
#endif
  body(std::int64_t{0}, panels);
}

}  // namespace retort::runtime
