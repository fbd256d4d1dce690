// See hessian_factor.h. The factorisation goes through blocks of columns from the last to the first; what one block
// takes from those after it is products of contiguous rows.
#include "hessian_factor.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>

#include "row_chunks.h"
#include "vector_kernels.h"

namespace retort::compression {

namespace {

constexpr std::int64_t block = 64, tile = 1024;  // block·tile doubles stay in the second-level cache

/// The upper triangle of a matrix of n columns; rows contiguous.
struct Triangle {
  double* data;
  std::int64_t n;
  double* row(std::int64_t i) const { return data + i * n; }
};

double row_product(const Triangle& a, std::int64_t i, std::int64_t k, std::int64_t begin, std::int64_t end) {
  return dot(a.row(i) + begin, a.row(k) + begin, static_cast<std::size_t>(end - begin));
}

/// a_ik −= Σ_{j ≥ end} a_ij·a_kj for k in [first, end).
void subtract_products(const Triangle& a, std::int64_t i, std::int64_t first, std::int64_t end) {
  for (std::int64_t j = end; j < a.n; j += tile) {
    const std::int64_t stop = std::min(a.n, j + tile);
    std::int64_t k = first;
    for (; k + 4 <= end; k += 4) {
      const double* const rows[4] = {a.row(k) + j, a.row(k + 1) + j, a.row(k + 2) + j, a.row(k + 3) + j};
      double sums[4] = {};
      add_dots(rows, a.row(i) + j, static_cast<std::size_t>(stop - j), sums);
      for (int r = 0; r < 4; ++r) a.row(i)[k + r] -= sums[r];
    }
    for (; k < end; ++k) a.row(i)[k] -= row_product(a, i, k, j, stop);
  }
}

/// Columns [begin, end) of rows in that range, from which later columns are subtracted already.
bool factor_block(const Triangle& a, std::int64_t begin, std::int64_t end, const std::vector<double>& diagonal) {
  for (std::int64_t k = end - 1; k >= begin; --k) {
    const double pivot = a.row(k)[k] - row_product(a, k, k, k + 1, end);
    const double rounding = static_cast<double>(a.n) * std::numeric_limits<double>::epsilon();
    if (!(pivot > rounding * diagonal[static_cast<std::size_t>(k)])) return false;
    a.row(k)[k] = std::sqrt(pivot);
    for (std::int64_t i = begin; i < k; ++i)
      a.row(i)[k] = (a.row(i)[k] - row_product(a, i, k, k + 1, end)) / a.row(k)[k];
  }
  return true;
}

std::vector<double> read_diagonal(const HessianView& hessian) {
  std::vector<double> diagonal;
  for (std::int64_t i = 0; i < hessian.size; ++i) {
    for (std::int64_t j = 0; j < hessian.size; ++j)
      if (!std::isfinite(hessian.at(i, j)))
        throw std::invalid_argument("hessian (" + std::to_string(i) + "," + std::to_string(j) +
                                    "): expected a finite number, found " + std::to_string(hessian.at(i, j)));
    if (hessian.at(i, i) < 0)
      throw std::invalid_argument("hessian (" + std::to_string(i) + "," + std::to_string(i) +
                                  "): expected a diagonal that is not negative, found " +
                                  std::to_string(hessian.at(i, i)));
    diagonal.push_back(static_cast<double>(hessian.at(i, i)));
  }
  return diagonal;
}

}  // namespace

bool factor_upper(std::vector<double>& values, std::int64_t n, const std::function<void()>& poll) {
  const Triangle a{values.data(), n};
  std::vector<double> diagonal;
  for (std::int64_t i = 0; i < n; ++i) diagonal.push_back(a.row(i)[i]);
  for (std::int64_t end = n; end > 0; end -= std::min(end, block)) {
    const std::int64_t begin = std::max<std::int64_t>(0, end - block);
    poll();
    for_row_chunks(end, 64, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i) subtract_products(a, i, std::max(i, begin), end);
    });
    if (!factor_block(a, begin, end, diagonal)) return false;
    for_row_chunks(begin, 64, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i)
        for (std::int64_t k = end - 1; k >= begin; --k)
          a.row(i)[k] = (a.row(i)[k] - row_product(a, i, k, k + 1, end)) / a.row(k)[k];
    });
  }
  return true;
}

std::vector<std::int64_t> column_order(std::span<const double> diagonal, ColumnOrder order, std::int64_t group) {
  std::vector<std::int64_t> columns(diagonal.size());
  std::iota(columns.begin(), columns.end(), 0);
  if (order == ColumnOrder::stored) return columns;
  std::vector<double> weight(diagonal.begin(), diagonal.end());
  for (double& value : weight) value = value == 0 ? 1 : value;
  std::vector<double> of_group(static_cast<std::size_t>((columns.size() + static_cast<std::size_t>(group) - 1) /
                                                        static_cast<std::size_t>(group)));
  for (std::size_t i = 0; i < weight.size(); ++i) {
    double& largest = of_group[i / static_cast<std::size_t>(group)];
    largest = std::max(largest, weight[i]);
  }
  std::stable_sort(columns.begin(), columns.end(), [&](std::int64_t a, std::int64_t b) {
    const std::int64_t group_a = a / group, group_b = b / group;
    if (order == ColumnOrder::grouped_activation && group_a != group_b) {
      const double one = of_group[static_cast<std::size_t>(group_a)],
                   other = of_group[static_cast<std::size_t>(group_b)];
      return one != other ? one > other : group_a < group_b;
    }
    return weight[static_cast<std::size_t>(a)] > weight[static_cast<std::size_t>(b)];
  });
  return columns;
}

DampedFactor damped_factor(const HessianView& hessian, std::span<const std::int64_t> order,
                           const FactorOptions& options, const std::function<void()>& poll) {
  const std::int64_t n = hessian.size;
  double mean = 0;
  for (const double value : read_diagonal(hessian)) mean += (value == 0 ? 1 : value) / static_cast<double>(n);
  DampedFactor factor{std::vector<double>(static_cast<std::size_t>(n * n)), options.damping, 0};
  const auto fill = [&] {
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t row = order[static_cast<std::size_t>(i)];
      for (std::int64_t j = i; j < n; ++j) {
        const std::int64_t column = order[static_cast<std::size_t>(j)];
        factor.values[static_cast<std::size_t>(i * n + j)] =
            static_cast<double>(hessian.at(std::min(row, column), std::max(row, column)));
      }
      double& own = factor.values[static_cast<std::size_t>(i * n + i)];
      own = (own == 0 ? 1 : own) + factor.damping * mean;
    }
  };
  for (fill(); !factor_upper(factor.values, n, poll); fill()) {
    factor.damping += options.damping_step;
    ++factor.raises;
    if (!(options.damping_step > 0) || factor.damping > 1)
      throw SingularHessian("the hessian of " + std::to_string(n) +
                            " columns is not positive definite even with a damping of " +
                            std::to_string(factor.damping) + "; calibrate with more and other rows");
  }
  return factor;
}

HessianFactor::HessianFactor(const HessianView& hessian, std::int64_t group, const FactorOptions& options,
                             const std::function<void()>& poll) {
  const std::int64_t n = hessian.size;
  const std::vector<double> diagonal = read_diagonal(hessian);
  diagonal_.assign(diagonal.begin(), diagonal.end());
  order_ = column_order(diagonal, options.order, group);
  const DampedFactor factor = damped_factor(hessian, order_, options, poll);
  damping_ = factor.damping;
  raises_ = factor.raises;
  const auto at = [n](std::int64_t i, std::int64_t j) { return static_cast<std::size_t>(i * n + j); };
  for (std::int64_t i = 0; i < n; ++i) pivots_.push_back(factor.values[at(i, i)]);
  ratios_.resize(factor.values.size());
  for (std::int64_t j = 0; j < n; ++j)
    for (std::int64_t i = j + 1; i < n; ++i)
      ratios_[at(j, i)] = static_cast<float>(factor.values[at(j, i)] / pivots_[static_cast<std::size_t>(i)]);
}

}  // namespace retort::compression
