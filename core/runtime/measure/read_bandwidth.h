// How fast the processor reads from memory: what bounds decoding.
#pragma once

#include <cstdint>

#include "runtime/linear/packed_memory.h"

namespace retort::runtime {

/// Owns a buffer that no cache holds. Used by one thread at a time.
class ReadBandwidth {
 public:
  /// A buffer four times as large as the last-level cache, at least 512 MiB, or of `bytes`; `threads` read it together,
  /// each a part of its own. Throws std::bad_alloc when there is no memory for it.
  explicit ReadBandwidth(std::int64_t threads, std::int64_t bytes = 0);

  /// Bytes per second: the median of `passes` by the fastest of three loops, which take turns: as the processor fetches
  /// ahead, fetching ahead, and in many places at once. 0 if passes is.
  double measure(std::int64_t passes);

 private:
  using Sum = std::uint64_t (*)(const std::uint64_t* words, std::int64_t count);
  double rate_of(Sum sum);

  std::int64_t threads_, part_;  // part_: words of a thread
  PackedMemory memory_;
  std::uint64_t* words_ = nullptr;
};

}  // namespace retort::runtime
