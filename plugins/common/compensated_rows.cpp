// See compensated_rows.h. `updated_` makes up for settled columns only, and so is the best value only at the column
// that is next; joint() takes the columns between into account.
#include "compensated_rows.h"

#include <algorithm>

#include "vector_kernels.h"

namespace retort::compression {

namespace {

constexpr std::int64_t ratio_columns = 512;  // a block of ratios of so many columns stays in the second-level cache

}  // namespace

CompensatedRows::CompensatedRows(const HessianFactor& factor, std::span<const std::span<const float>> rows,
                                 bool zero_dead, std::int64_t block)
    : factor_(factor), columns_(factor.size()), block_(block) {
  const auto size = static_cast<std::size_t>(columns_);
  for (const std::span<const float> row : rows) {
    std::vector<float> placed(size);
    for (std::size_t place = 0; place < size; ++place) {
      const auto column = static_cast<std::size_t>(factor.order()[place]);
      placed[place] = zero_dead && factor.diagonal()[column] == 0 ? 0.0f : row[column];
    }
    weights_.push_back(placed);
    updated_.push_back(std::move(placed));
  }
  steps_.assign(rows.size(), std::vector<float>(static_cast<std::size_t>(block_)));
}

std::int64_t CompensatedRows::block_end(std::int64_t i) const {
  return std::min(columns_, i / block_ * block_ + block_);
}

void CompensatedRows::joint(std::size_t row, std::int64_t begin, std::span<float> out) const {
  const auto first = static_cast<std::size_t>(begin), width = out.size();
  std::copy_n(updated_[row].begin() + begin, width, out.begin());
  for (std::size_t i = 0; i + 1 < width; ++i)
    add_scaled(weights_[row][first + i] - out[i], factor_.ratios(begin + static_cast<std::int64_t>(i)) + first + i + 1,
               &out[i + 1], width - i - 1);
}

double CompensatedRows::settle(std::size_t row, std::int64_t i, double value) {
  const auto place = static_cast<std::size_t>(i);
  const double left = factor_.pivots()[place] * (static_cast<double>(updated_[row][place]) - value);
  const float step = static_cast<float>(static_cast<double>(weights_[row][place]) - value);
  steps_[row][static_cast<std::size_t>(i % block_)] = step;
  add_scaled(step, factor_.ratios(i) + i + 1, updated_[row].data() + i + 1,
             static_cast<std::size_t>(block_end(i) - i - 1));
  return left;
}

void CompensatedRows::close_block(std::int64_t begin) {
  for (std::int64_t first = block_end(begin); first < columns_; first += ratio_columns)
    for (std::size_t row = 0; row < rows(); ++row)
      compensate(row, begin, first, std::min(columns_, first + ratio_columns));
}

void CompensatedRows::compensate(std::size_t row, std::int64_t begin, std::int64_t first, std::int64_t last) {
  float* const updated = updated_[row].data() + first;
  const float* const steps = steps_[row].data();
  const auto size = static_cast<std::size_t>(last - first);
  const std::int64_t end = block_end(begin);
  std::int64_t j = begin;
  for (; j + 4 <= end; j += 4) {
    const float* const ratios[4] = {factor_.ratios(j) + first, factor_.ratios(j + 1) + first,
                                    factor_.ratios(j + 2) + first, factor_.ratios(j + 3) + first};
    add_scaled(steps + (j - begin), ratios, updated, size);
  }
  for (; j < end; ++j) add_scaled(steps[j - begin], factor_.ratios(j) + first, updated, size);
}

}  // namespace retort::compression
