// One allocation that many buffers share: reserve them all, allocate once, then take the pointers. No freeing of parts.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/kernels/aligned_buffer.h"

namespace retort::runtime {

/// Parts begin on 64-byte lines and are zeroed.
class Arena {
 public:
  /// Space for `count` elements; returns where it will begin, for at(). Before allocate().
  template <class T>
  std::int64_t reserve(std::int64_t count) {
    constexpr std::int64_t alignment = 64;
    const std::int64_t offset = bytes_;
    bytes_ += (count * static_cast<std::int64_t>(sizeof(T)) + alignment - 1) / alignment * alignment;
    return offset;
  }
  /// Once. Throws std::bad_alloc when the memory cannot be had.
  void allocate() { memory_ = AlignedBuffer<std::byte>(bytes_); }
  template <class T>
  T* at(std::int64_t offset) {
    return reinterpret_cast<T*>(memory_.data() + offset);
  }
  std::int64_t bytes() const { return bytes_; }

 private:
  std::int64_t bytes_ = 0;
  AlignedBuffer<std::byte> memory_;
};

}  // namespace retort::runtime
