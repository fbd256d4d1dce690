// Work on chunks of rows that do not depend on each other, in parallel. Chunks are the same whatever the number of
// threads, and so are the results.
#pragma once

#include <algorithm>
#include <cstdint>
#include <exception>

namespace retort::compression {

/// Calls `work(begin, end)` for every chunk of at most `size` rows; a few chunks are not worth waking threads for. The
/// first exception is thrown again at the end; what has not begun by then is left out.
template <typename Work>
void for_row_chunks(std::int64_t rows, std::int64_t size, const Work& work) {
  std::exception_ptr failure;
  bool failed = false;
#pragma omp parallel for schedule(dynamic) if (rows > 4 * size)
  for (std::int64_t begin = 0; begin < rows; begin += size) {
    bool skip = false;
#pragma omp atomic read
    skip = failed;
    if (skip) continue;
    try {
      work(begin, std::min(rows, begin + size));
    } catch (...) {
#pragma omp critical(retort_row_chunks)
      if (!failure) failure = std::current_exception();
#pragma omp atomic write
      failed = true;
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace retort::compression
