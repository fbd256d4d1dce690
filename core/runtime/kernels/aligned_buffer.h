// Owned, zeroed, 64-byte aligned memory that never grows: what kernels read and write. No resizing, no copying.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>
#include <type_traits>

namespace retort::runtime {

/// Large buffers are mappings of their own, whose pages are committed when first touched: a long cache costs nothing
/// until it is filled, also where memory of an earlier one has come back (calloc clears that, and so touches it).
template <class T>
class AlignedBuffer {
  static_assert(std::is_trivial_v<T>);

 public:
  AlignedBuffer() = default;
  /// Throws std::bad_alloc when the memory cannot be had.
  explicit AlignedBuffer(std::int64_t count) : size_(count) {
    constexpr std::size_t alignment = 64;
    const auto elements = static_cast<std::size_t>(count);
    if (count < 0 || elements > (std::numeric_limits<std::size_t>::max() - alignment) / sizeof(T))
      throw std::bad_alloc();
    std::size_t space = elements * sizeof(T) + alignment;
    memory_ = allocate(space);
    void* start = memory_.get();
    data_ = static_cast<T*>(std::align(alignment, elements * sizeof(T), start, space));
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  std::int64_t size() const { return size_; }

 private:
  struct Free {
    std::size_t mapped = 0;  // bytes; 0: from calloc
    void operator()(void* memory) const {
      if (mapped > 0)
        ::munmap(memory, mapped);
      else
        std::free(memory);
    }
  };

  static std::unique_ptr<void, Free> allocate(std::size_t bytes) {
#ifndef __SANITIZE_ADDRESS__  // which watches the ends of what calloc gives
    constexpr std::size_t large = std::size_t{1} << 20;
    if (bytes >= large) {
      void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (memory == MAP_FAILED) throw std::bad_alloc();
      return {memory, Free{bytes}};
    }
#endif
    void* memory = std::calloc(1, bytes);
    if (memory == nullptr) throw std::bad_alloc();
    return {memory, Free{}};
  }

  std::unique_ptr<void, Free> memory_;
  T* data_ = nullptr;
  std::int64_t size_ = 0;
};

}  // namespace retort::runtime
