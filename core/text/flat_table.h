// An array that is either owned or somebody else's memory, such as a mapped file's, and read the same way.
#pragma once

#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace retort::text {

template <class T>
class FlatTable {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  FlatTable() = default;
  explicit FlatTable(std::vector<T> values) : owned_(std::move(values)), values_(owned_) {}
  /// Borrows; they must outlive it.
  explicit FlatTable(std::span<const T> values) : values_(values) {}
  FlatTable(FlatTable&&) noexcept = default;  // a moved vector keeps its memory
  FlatTable& operator=(FlatTable&&) noexcept = default;
  FlatTable(const FlatTable&) = delete;
  FlatTable& operator=(const FlatTable&) = delete;

  std::size_t size() const { return values_.size(); }
  bool empty() const { return values_.empty(); }
  const T& operator[](std::size_t i) const { return values_[i]; }
  std::span<const T> values() const { return values_; }
  const T* begin() const { return values_.data(); }
  const T* end() const { return values_.data() + values_.size(); }
  /// Of an owned table.
  T& mutable_at(std::size_t i) { return owned_[i]; }

 private:
  std::vector<T> owned_;
  std::span<const T> values_;
};

}  // namespace retort::text
