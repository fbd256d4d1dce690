// Matrices row by row in f64, and Hessians of inputs that are related to one another.
#pragma once

#include <cstddef>
#include <random>
#include <vector>

namespace retort::golden {

using Matrix = std::vector<std::vector<double>>;

inline std::vector<float> row_major(const Matrix& matrix) {
  std::vector<float> values;
  for (const auto& row : matrix)
    for (const double value : row) values.push_back(static_cast<float>(value));
  return values;
}

/// 2·Σ x xᵀ / S of correlated rows.
inline Matrix random_hessian(std::size_t columns, std::size_t rows, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  Matrix hessian(columns, std::vector<double>(columns, 0.0));
  std::vector<double> x(columns);
  for (std::size_t s = 0; s < rows; ++s) {
    const double shared = 2 * normal(random);
    for (std::size_t i = 0; i < columns; ++i) x[i] = normal(random) * (1 + .25 * static_cast<double>(i % 5)) + shared;
    for (std::size_t i = 0; i < columns; ++i)
      for (std::size_t j = 0; j < columns; ++j) hessian[i][j] += 2 * x[i] * x[j] / static_cast<double>(rows);
  }
  return hessian;
}

}  // namespace retort::golden
