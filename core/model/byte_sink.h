// Where a streaming writer takes the bytes of one tensor from whoever has them. Knows their number, no format.
#pragma once

#include <cstddef>
#include <span>

namespace retort::model {

/// Writes through to a descriptor that somebody else owns. [one thread]
class ByteSink {
 public:
  /// `expected` bytes are still to come.
  ByteSink(int descriptor, std::size_t expected) : descriptor_(descriptor), missing_(expected) {}

  /// Throws std::invalid_argument for more bytes than expected, std::system_error where the disk refuses.
  void append(const void* data, std::size_t bytes);
  void append(std::span<const std::byte> bytes) { append(bytes.data(), bytes.size()); }
  std::size_t missing() const { return missing_; }

 private:
  int descriptor_;
  std::size_t missing_;
};

}  // namespace retort::model
