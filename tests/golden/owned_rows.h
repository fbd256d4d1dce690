// Tensors over some rows of a step, for loss_calls.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "loaded_plugin.h"

namespace retort::golden {

inline const float not_written = std::numeric_limits<float>::quiet_NaN();

template <typename T>
using Owned = std::unique_ptr<Tensor<T>>;

/// Rows [first, first + count) of a row-major matrix, or elements of a vector (columns 0).
template <typename T>
Owned<T> slice(const std::vector<T>& all, std::int64_t first, std::int64_t count, std::int64_t columns = 0) {
  const std::int64_t width = std::max<std::int64_t>(columns, 1);
  std::vector<std::int64_t> shape{count};
  if (columns > 0) shape.push_back(columns);
  return std::make_unique<Tensor<T>>(
      shape, std::vector<T>(all.begin() + first * width, all.begin() + (first + count) * width));
}

inline Owned<float> unwritten(std::int64_t rows, std::int64_t columns = 0) {
  return slice(std::vector<float>(static_cast<std::size_t>(rows * std::max<std::int64_t>(columns, 1)), not_written), 0,
               rows, columns);
}

inline std::vector<float> normal_numbers(std::mt19937& random, std::int64_t count, float mean = 0,
                                         float deviation = 1) {
  std::normal_distribution<float> normal(mean, deviation);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = normal(random);
  return values;
}

/// A retort_tensor pointer list over owned tensors.
inline std::vector<const retort_tensor*> views(const std::vector<Owned<float>>& tensors) {
  std::vector<const retort_tensor*> list;
  for (const auto& tensor : tensors) list.push_back(tensor->view());
  return list;
}

}  // namespace retort::golden
