// Typed, checked access to the ABI's tensor views. Host memory only; retort/torch.hpp bridges to LibTorch.
#pragma once

#include <retort/abi/base.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace retort {

namespace detail {

template <typename Element>
constexpr std::uint8_t dtype_code() {
  if (std::is_floating_point_v<Element>) return RETORT_DTYPE_FLOAT;
  return std::is_signed_v<Element> ? RETORT_DTYPE_INT : RETORT_DTYPE_UINT;
}

}  // namespace detail

/// A borrowed view of one or two dimensions whose rows are contiguous. Empty where the host passed NULL.
/// `T` is const-qualified for inputs: TensorView<const float>.
template <typename T>
class TensorView {
  using Element = std::remove_const_t<T>;

 public:
  TensorView() = default;
  /// Throws std::invalid_argument, naming the tensor, unless it is `dimensions`-dimensional, of T's type, in host
  /// memory, with contiguous rows, and writable where T is not const.
  TensorView(const retort_tensor* tensor, const char* name, int dimensions) {
    if (tensor == nullptr) return;
    const auto refuse = [&](const std::string& why) { throw std::invalid_argument(std::string(name) + ": " + why); };
    if (tensor->device_type != RETORT_DEVICE_CPU) refuse("expected a tensor in host memory");
    if (tensor->dtype_code != detail::dtype_code<Element>() || tensor->dtype_bits != 8 * sizeof(Element) ||
        tensor->dtype_lanes != 1)
      refuse("expected elements of " + std::to_string(8 * sizeof(Element)) + " bits and type code " +
             std::to_string(detail::dtype_code<Element>()) + ", found " + std::to_string(tensor->dtype_bits) +
             " bits and type code " + std::to_string(tensor->dtype_code));
    if (tensor->dimensions != dimensions)
      refuse("expected " + std::to_string(dimensions) + " dimensions, found " + std::to_string(tensor->dimensions));
    if (!std::is_const_v<T> && (tensor->flags & RETORT_TENSOR_READ_ONLY) != 0) refuse("expected a writable tensor");
    data_ = reinterpret_cast<T*>(static_cast<char*>(tensor->data) + tensor->byte_offset);
    rows_ = tensor->shape[0];
    columns_ = dimensions == 2 ? tensor->shape[1] : 1;
    stride_ = tensor->strides[0];
    if (dimensions == 2 && columns_ > 1 && tensor->strides[1] != 1) refuse("expected contiguous rows");
  }

  explicit operator bool() const { return data_ != nullptr; }
  std::int64_t rows() const { return rows_; }
  std::int64_t columns() const { return columns_; }
  T* row(std::int64_t index) const { return data_ + index * stride_; }
  T& operator()(std::int64_t row_index, std::int64_t column) const { return row(row_index)[column]; }
  T& operator[](std::int64_t index) const { return data_[index * stride_]; }  ///< of a one-dimensional view

 private:
  T* data_ = nullptr;
  std::int64_t rows_ = 0, columns_ = 0, stride_ = 0;
};

/// `count` tensors behind an array of pointers that may be NULL. Throws as TensorView's constructor.
template <typename T>
std::vector<TensorView<T>> tensor_list(const retort_tensor* const* tensors, std::int64_t count, const char* name,
                                       int dimensions) {
  std::vector<TensorView<T>> views;
  for (std::int64_t i = 0; tensors != nullptr && i < count; ++i) views.emplace_back(tensors[i], name, dimensions);
  return views;
}

/// Throws std::invalid_argument, naming the tensor, unless it is there and has `rows` rows and `columns` columns (-1:
/// any number of them).
template <typename T>
void expect_shape(const TensorView<T>& tensor, const char* name, std::int64_t rows, std::int64_t columns = 1) {
  const auto text = [](std::int64_t n) { return n < 0 ? std::string("any") : std::to_string(n); };
  const std::string expected = "expected [" + text(rows) + "," + text(columns) + "]";
  if (!tensor) throw std::invalid_argument(std::string(name) + ": " + expected + ", found no tensor");
  if ((rows < 0 || tensor.rows() == rows) && (columns < 0 || tensor.columns() == columns)) return;
  throw std::invalid_argument(std::string(name) + ": " + expected + ", found [" + std::to_string(tensor.rows()) + "," +
                              std::to_string(tensor.columns()) + "]");
}

}  // namespace retort
