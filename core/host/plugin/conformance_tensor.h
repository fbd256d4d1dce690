// Small tensors that own their memory, for the conformance checks. Rows are padded, so that a component that takes a
// row's length for its stride is found out.
#pragma once

#include <retort/abi/base.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <type_traits>
#include <vector>

namespace retort::host {

/// One or two dimensions. Not copyable: the ABI view points into it.
template <typename T>
class OwnedTensor {
  using Shape = std::vector<std::int64_t>;

 public:
  explicit OwnedTensor(std::int64_t size) : OwnedTensor(Shape{size}, 0) {}
  OwnedTensor(std::int64_t rows, std::int64_t columns) : OwnedTensor(Shape{rows, columns}, 3) {}
  OwnedTensor(const OwnedTensor&) = delete;
  OwnedTensor& operator=(const OwnedTensor&) = delete;

  std::int64_t rows() const { return shape_[0]; }
  std::int64_t columns() const { return shape_.size() == 2 ? shape_[1] : 1; }
  std::int64_t size() const { return rows() * columns(); }
  T& at(std::int64_t row, std::int64_t column = 0) { return storage_[position(row, column)]; }
  const T& at(std::int64_t row, std::int64_t column = 0) const { return storage_[position(row, column)]; }
  /// Element by number, rows one after the other.
  T& flat(std::int64_t index) { return at(index / columns(), index % columns()); }
  const T& flat(std::int64_t index) const { return at(index / columns(), index % columns()); }

  /// Every element, the padding left alone.
  template <typename Make>
  OwnedTensor& fill(Make make) {
    for (std::int64_t i = 0; i < size(); ++i) flat(i) = make();
    return *this;
  }
  OwnedTensor& fill_with(T value) {
    return fill([&] { return value; });
  }

  const retort_tensor* input() { return view(0, rows(), RETORT_TENSOR_READ_ONLY); }
  const retort_tensor* input_rows(std::int64_t first, std::int64_t count) {
    return view(first, count, RETORT_TENSOR_READ_ONLY);
  }
  const retort_tensor* output() { return view(0, rows(), 0); }
  const retort_tensor* output_rows(std::int64_t first, std::int64_t count) { return view(first, count, 0); }

 private:
  static constexpr std::int64_t offset = 2;  // elements before the first

  OwnedTensor(Shape shape, std::int64_t padding) : shape_(std::move(shape)) {
    strides_ = {columns() + padding, 1};
    if (shape_.size() == 1) strides_ = {1};
    storage_.assign(static_cast<std::size_t>(offset + rows() * strides_[0]), filler());
  }
  static T filler() {
    if constexpr (std::is_floating_point_v<T>)
      return std::numeric_limits<T>::quiet_NaN();
    else
      return std::numeric_limits<T>::min();
  }
  std::size_t position(std::int64_t row, std::int64_t column) const {
    return static_cast<std::size_t>(offset + row * strides_[0] + column);
  }

  const retort_tensor* view(std::int64_t first, std::int64_t count, std::uint32_t flags) {
    view_shape_ = shape_;
    view_shape_[0] = count;
    view_ = {};
    view_.struct_size = sizeof view_;
    view_.flags = flags;
    view_.data = storage_.data();
    view_.device_type = RETORT_DEVICE_CPU;
    view_.dtype_code = std::is_floating_point_v<T> ? RETORT_DTYPE_FLOAT
                       : std::is_signed_v<T>       ? RETORT_DTYPE_INT
                                                   : RETORT_DTYPE_UINT;
    view_.dtype_bits = 8 * sizeof(T);
    view_.dtype_lanes = 1;
    view_.dimensions = static_cast<std::int32_t>(shape_.size());
    view_.shape = view_shape_.data();
    view_.strides = strides_.data();
    view_.byte_offset = sizeof(T) * position(first, 0);
    return &view_;
  }

  Shape shape_, strides_, view_shape_;
  std::vector<T> storage_;
  retort_tensor view_{};
};

/// The same numbers on every platform: no std distribution, whose results are not specified.
class SeededNumbers {
 public:
  explicit SeededNumbers(std::uint32_t seed) : engine_(seed) {}
  double uniform() { return (engine_() + 0.5) / 4294967296.0; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Box and Muller.
  double normal() { return std::sqrt(-2 * std::log(uniform())) * std::cos(2 * 3.14159265358979323846 * uniform()); }
  std::int64_t below(std::int64_t bound) { return static_cast<std::int64_t>(uniform() * static_cast<double>(bound)); }

 private:
  std::mt19937 engine_;
};

}  // namespace retort::host
