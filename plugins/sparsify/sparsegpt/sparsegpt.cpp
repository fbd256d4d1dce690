// See sparsegpt.h. Rows are worked on in chunks at the same time; with a fraction they meet once a block, where all
// weights of the block are compared.
#include "sparsegpt.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "compensated_rows.h"
#include "row_chunks.h"

namespace retort::sparsify {

namespace {

using compression::CompensatedRows;
using compression::HessianFactor;

constexpr std::int64_t chunk = 32;  // rows that share their reads of the factor

class Sparsifying {
 public:
  Sparsifying(const HessianFactor& factor, const SparseGptOptions& options,
              std::span<const std::span<const float>> rows, std::span<SparseRow> out, const std::function<void()>& poll)
      : factor_(factor),
        pattern_(options.pattern),
        block_(options.block),
        out_(out),
        poll_(poll),
        errors_(rows.size(), 0.0) {
    if (pattern_.of > 0) block_ = (block_ + pattern_.of - 1) / pattern_.of * pattern_.of;
    for (std::size_t begin = 0; begin < rows.size(); begin += chunk)
      chunks_.emplace_back(factor, rows.subspan(begin, std::min<std::size_t>(chunk, rows.size() - begin)), true,
                           block_);
  }

  std::vector<double> run() {
    for (std::int64_t begin = 0; begin < factor_.size(); begin += block_) {
      const std::int64_t end = std::min(factor_.size(), begin + block_);
      if (pattern_.of <= 0) choose_block(begin, end);
      each_chunk([&](std::size_t first, CompensatedRows& rows) {
        for (std::size_t r = 0; r < rows.rows(); ++r) settle(rows, r, first + r, begin, end);
        rows.close_block(begin);
      });
    }
    return errors_;
  }

 private:
  template <typename Work>
  void each_chunk(const Work& work) {
    compression::for_row_chunks(static_cast<std::int64_t>(out_.size()), chunk, [&](std::int64_t first, std::int64_t) {
      poll_();
      work(static_cast<std::size_t>(first), chunks_[static_cast<std::size_t>(first / chunk)]);
    });
  }

  /// w²/U_ii² of `width` columns from `begin`, which is next.
  void scores(const CompensatedRows& rows, std::size_t r, std::int64_t begin, std::span<double> found) const {
    std::vector<float> joint(found.size());
    rows.joint(r, begin, joint);
    for (std::size_t i = 0; i < found.size(); ++i) {
      const double root = static_cast<double>(joint[i]) * factor_.pivots()[static_cast<std::size_t>(begin) + i];
      found[i] = root * root;
    }
  }

  /// The masks of a block, of all rows together.
  void choose_block(std::int64_t begin, std::int64_t end) {
    const auto width = static_cast<std::size_t>(end - begin);
    std::vector<double> all(out_.size() * width);
    each_chunk([&](std::size_t first, const CompensatedRows& rows) {
      for (std::size_t r = 0; r < rows.rows(); ++r)
        scores(rows, r, begin, std::span(all).subspan((first + r) * width, width));
    });
    std::vector<std::uint8_t> mask(all.size());
    mask_least(all, pattern_, mask);
    for (std::size_t row = 0; row < out_.size(); ++row)
      std::copy_n(mask.begin() + static_cast<std::ptrdiff_t>(row * width), width,
                  out_[row].mask.begin() + static_cast<std::ptrdiff_t>(begin));
  }

  void settle(CompensatedRows& rows, std::size_t r, std::size_t row, std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      if (pattern_.of > 0 && i % pattern_.of == 0) choose_few(rows, r, row, i);
      const auto column = static_cast<std::size_t>(i);
      out_[row].weights[column] = out_[row].mask[column] == 0 ? 0.0f : rows.next(r, i);
      const double left = rows.settle(r, i, static_cast<double>(out_[row].weights[column]));
      errors_[row] += left * left;
    }
  }

  /// n of the m columns from i.
  void choose_few(const CompensatedRows& rows, std::size_t r, std::size_t row, std::int64_t i) {
    std::vector<double> found(static_cast<std::size_t>(pattern_.of));
    scores(rows, r, i, found);
    mask_least(found, pattern_, out_[row].mask.subspan(static_cast<std::size_t>(i), found.size()));
  }

  const HessianFactor& factor_;
  Pattern pattern_;
  std::int64_t block_;
  std::span<SparseRow> out_;
  const std::function<void()>& poll_;
  std::vector<CompensatedRows> chunks_;
  std::vector<double> errors_;
};

}  // namespace

std::vector<double> sparsegpt(const HessianFactor& factor, const SparseGptOptions& options,
                              std::span<const std::span<const float>> rows, std::span<SparseRow> out,
                              const std::function<void()>& poll) {
  if (options.pattern.of > 0 && factor.size() % options.pattern.of != 0)
    throw std::invalid_argument("pattern: expected a multiple of " + std::to_string(options.pattern.of) +
                                " columns, found " + std::to_string(factor.size()));
  if (!std::is_sorted(factor.order().begin(), factor.order().end()))
    throw std::invalid_argument("factor: expected columns in stored order");
  return Sparsifying(factor, options, rows, out, poll).run();
}

}  // namespace retort::sparsify
