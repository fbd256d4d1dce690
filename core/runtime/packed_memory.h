// Memory for the packed weights of one model, one behind the other in huge pages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/aligned_buffer.h"

namespace retort::runtime {

/// Every weight is read end to end at every token, so the addresses of small pages would have to be looked up anew each
/// time; and most weights alone are too small for pages of 2 MiB, or would leave large parts of two in small ones.
/// Freed as a whole. One thread at a time.
class PackedMemory {
 public:
  PackedMemory() = default;
  ~PackedMemory();
  PackedMemory(const PackedMemory&) = delete;
  PackedMemory& operator=(const PackedMemory&) = delete;

  /// Zeroed, begins on a 64-byte line. Throws std::bad_alloc when the memory cannot be had.
  std::byte* take(std::int64_t bytes);

 private:
  /// A mapping that begins on a huge page; its pages are committed when first touched.
  struct Slab {
    void* mapping = nullptr;
    std::size_t mapped = 0;
    std::byte* data = nullptr;
    std::int64_t size = 0;
    std::int64_t used = 0;
    std::int64_t advised = 0;  ///< bytes for which huge pages have been asked
  };
  Slab& slab_for(std::int64_t bytes);
  void advise(Slab& slab) const;

  std::vector<Slab> slabs_;
  std::int64_t taken_ = 0;
  std::vector<AlignedBuffer<std::byte>> watched_;  ///< instead of slabs where a sanitizer watches their ends
};

}  // namespace retort::runtime
