#include "host/algorithm/output_tensor.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>

namespace retort::host {
namespace {

/// Calls `row(first, count, stride, index)` for every run of elements along the last dimension.
template <typename Row>
void for_each_row(const retort_tensor& tensor, const Row& row) {
  constexpr int most = 4;
  if (tensor.dimensions < 0 || tensor.dimensions > most || tensor.dtype_code != RETORT_DTYPE_FLOAT ||
      tensor.dtype_bits != 32 || tensor.device_type != RETORT_DEVICE_CPU)
    throw std::logic_error("expected an f32 tensor of up to 4 dimensions in host memory");
  std::array<std::int64_t, most> shape{1, 1, 1, 1}, stride{0, 0, 0, 1};
  for (int i = 0; i < tensor.dimensions; ++i) {
    const auto at = static_cast<std::size_t>(most - tensor.dimensions + i);
    shape[at] = tensor.shape[i];
    stride[at] = tensor.strides[i];
  }
  auto* data = reinterpret_cast<float*>(static_cast<char*>(tensor.data) + tensor.byte_offset);
  for (std::int64_t i = 0; i < shape[0]; ++i)
    for (std::int64_t j = 0; j < shape[1]; ++j)
      for (std::int64_t k = 0; k < shape[2]; ++k)
        row(data + i * stride[0] + j * stride[1] + k * stride[2], shape[3], stride[3],
            (i * shape[1] + j) * shape[2] + k);
}

/// Whether all `count` numbers are finite: without a branch an element, as gradients are large.
bool all_finite(const float* first, std::int64_t count) {
  constexpr std::uint32_t exponent = 0x7F800000;
  std::uint32_t wrong = 0;
  for (std::int64_t i = 0; i < count; ++i)
    wrong |= static_cast<std::uint32_t>((std::bit_cast<std::uint32_t>(first[i]) & exponent) == exponent);
  return wrong == 0;
}

}  // namespace

void fill_with_nan(const retort_tensor& tensor) {
  for_each_row(tensor, [](float* first, std::int64_t count, std::int64_t stride, std::int64_t) {
    for (std::int64_t i = 0; i < count; ++i) first[i * stride] = std::numeric_limits<float>::quiet_NaN();
  });
}

void expect_written(const retort_tensor& tensor, const std::string& what) {
  for_each_row(tensor, [&](const float* first, std::int64_t count, std::int64_t stride, std::int64_t row) {
    if (stride == 1 && all_finite(first, count)) return;
    for (std::int64_t i = 0; i < count; ++i)
      if (!std::isfinite(first[i * stride]))
        throw std::runtime_error(what + ": expected a finite number in every element, found " +
                                 std::to_string(first[i * stride]) + " in row " + std::to_string(row) + ", column " +
                                 std::to_string(i) + "; an element that is not written stays NaN");
  });
}

}  // namespace retort::host
