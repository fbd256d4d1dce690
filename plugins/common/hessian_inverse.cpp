// See hessian_inverse.h.
#include "hessian_inverse.h"

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "row_chunks.h"
#include "vector_kernels.h"

namespace retort::compression {

namespace {

/// x [n,width], rows contiguous, becomes (R·Rᵀ)⁻¹·x.
void solve(const double* factor, std::int64_t n, std::int64_t width, double* x) {
  const auto size = static_cast<std::size_t>(width);
  const auto divide = [&](std::int64_t i) {
    for (std::int64_t c = 0; c < width; ++c) x[i * width + c] /= factor[i * n + i];
  };
  for (std::int64_t i = n - 1; i >= 0; --i) {  // R·y = x
    for (std::int64_t j = i + 1; j < n; ++j) add_scaled(-factor[i * n + j], x + j * width, x + i * width, size);
    divide(i);
  }
  for (std::int64_t j = 0; j < n; ++j) {  // Rᵀ·x = y
    divide(j);
    for (std::int64_t i = j + 1; i < n; ++i) add_scaled(-factor[j * n + i], x + j * width, x + i * width, size);
  }
}

}  // namespace

std::vector<double> inverse_of(const std::vector<double>& factor, std::int64_t n, const std::function<void()>& poll) {
  constexpr std::int64_t chunk = 32;
  std::vector<double> inverse(factor.size());
  for_row_chunks(n, chunk, [&](std::int64_t begin, std::int64_t end) {
    poll();
    const std::int64_t width = end - begin;
    std::vector<double> part(static_cast<std::size_t>(n * width), 0.0);
    for (std::int64_t i = begin; i < end; ++i) part[static_cast<std::size_t>(i * width + i - begin)] = 1;
    solve(factor.data(), n, width, part.data());
    for (std::int64_t i = begin; i < end; ++i)  // the inverse is symmetric: columns are rows
      for (std::int64_t j = 0; j < n; ++j)
        inverse[static_cast<std::size_t>(i * n + j)] = part[static_cast<std::size_t>(j * width + i - begin)];
  });
  return inverse;
}

ColumnRemoval::ColumnRemoval(std::vector<double> inverse, std::vector<std::vector<double>> columns)
    : inverse_(std::move(inverse)), columns_(std::move(columns)), gone_(columns_.size(), 0) {}

std::vector<double> ColumnRemoval::costs() const {
  std::vector<double> result(columns_.size(), std::numeric_limits<double>::infinity());
  for (std::size_t j = 0; j < columns_.size(); ++j)
    if (gone_[j] == 0)
      result[j] = dot(columns_[j].data(), columns_[j].data(), columns_[j].size()) / inverse_[j * columns_.size() + j];
  return result;
}

double ColumnRemoval::remove(std::span<const std::int64_t> which) {
  const auto n = static_cast<std::int64_t>(columns_.size()), count = static_cast<std::int64_t>(which.size());
  std::vector<std::vector<double>> rows, weights;  // of what goes
  std::vector<double> shares(static_cast<std::size_t>(count * count));
  for (const std::int64_t j : which) {
    rows.emplace_back(inverse_row(j), inverse_row(j) + n);
    weights.push_back(column(j));
  }
  for (std::size_t a = 0; a < rows.size(); ++a)
    for (std::size_t b = a; b < rows.size(); ++b)
      shares[a * rows.size() + b] = rows[a][static_cast<std::size_t>(which[b])];
  if (!factor_upper(shares, count))
    throw SingularHessian("columns that go together depend on each other; raise the damping");
  for (const std::int64_t j : which) gone_[static_cast<std::size_t>(j)] = 1;
  for_row_chunks(n, 64, [&](std::int64_t begin, std::int64_t end) {
    std::vector<double> share(rows.size());
    for (std::int64_t k = begin; k < end; ++k) {
      const auto place = static_cast<std::size_t>(k);
      if (gone_[place] != 0) continue;
      for (std::size_t a = 0; a < rows.size(); ++a) share[a] = rows[a][place];
      solve(shares.data(), count, 1, share.data());
      for (std::size_t a = 0; a < rows.size(); ++a) {
        add_scaled(-share[a], rows[a].data(), inverse_row(k), static_cast<std::size_t>(n));
        add_scaled(-share[a], weights[a].data(), columns_[place].data(), columns_[place].size());
      }
    }
  });
  double cost = 0;  // Σ over outputs of w·(P of what goes)⁻¹·w
  for (std::size_t o = 0; o < weights.front().size(); ++o) {
    std::vector<double> before, solved;
    for (const std::vector<double>& weight : weights) before.push_back(weight[o]);
    solve(shares.data(), count, 1, (solved = before).data());
    cost += dot(before.data(), solved.data(), before.size());
  }
  for (const std::int64_t j : which) {
    std::fill_n(inverse_row(j), n, 0.0);
    std::fill(columns_[static_cast<std::size_t>(j)].begin(), columns_[static_cast<std::size_t>(j)].end(), 0.0);
  }
  return cost;
}

}  // namespace retort::compression
