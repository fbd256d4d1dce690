// Owned, zeroed, 64-byte aligned memory that never grows: what kernels read and write. No resizing, no copying.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>
#include <type_traits>

namespace retort::runtime {

/// Pages are committed when first touched (calloc), so a long cache costs nothing until it is filled.
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
    memory_.reset(std::calloc(1, space));
    void* start = memory_.get();
    if (start == nullptr) throw std::bad_alloc();
    data_ = static_cast<T*>(std::align(alignment, elements * sizeof(T), start, space));
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  std::int64_t size() const { return size_; }

 private:
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  std::unique_ptr<void, Free> memory_;
  T* data_ = nullptr;
  std::int64_t size_ = 0;
};

}  // namespace retort::runtime
