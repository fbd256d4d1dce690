// A loop over independent rows or heads on the engine's OpenMP team, which oneDNN uses too: there is no second pool.
#pragma once

#include <omp.h>

#include <cstdint>

namespace retort::runtime {

/// Work, in multiply-adds or elements, above which a fork and a join (1 to 2 µs) are worth it.
inline constexpr std::int64_t kParallelWork = 100'000;

/// body(index, thread) for every index in [0, count); thread < omp_get_max_threads(). Neighbouring indices go to
/// different threads, since in a causal pass later ones take longer. `work` is that of all indices together. The body
/// must not throw.
template <class Body>
void parallel_for(std::int64_t count, [[maybe_unused]] std::int64_t work, const Body& body) {
#ifndef __SANITIZE_THREAD__  // libgomp is not built with the sanitizer, which then takes its barriers for races
  if (count > 1 && work >= kParallelWork && omp_get_max_threads() > 1) {
#pragma omp parallel for schedule(static, 1)
    for (std::int64_t i = 0; i < count; ++i) body(i, static_cast<std::int64_t>(omp_get_thread_num()));
    return;
  }
#endif
  for (std::int64_t i = 0; i < count; ++i) body(i, std::int64_t{0});
}

}  // namespace retort::runtime
