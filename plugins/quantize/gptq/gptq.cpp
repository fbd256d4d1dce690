// See gptq.h and the formulas of hessian_factor.h.
#include "gptq.h"

#include <algorithm>

#include "compensated_rows.h"

namespace retort::quantize {

namespace {

using compression::CompensatedRows;
using compression::HessianFactor;

class RowQuantizer {
 public:
  RowQuantizer(const HessianFactor& factor, const CodeGrid& grid, const GptqOptions& options,
               std::span<const std::span<const float>> rows, std::span<CodedRow> coded, std::span<double> errors)
      : factor_(factor),
        grid_(grid),
        columns_(factor.size()),
        width_(grid.width(factor.size())),
        block_(options.static_groups ? options.block : (options.block + width_ - 1) / width_ * width_),
        static_groups_(options.static_groups),
        rows_(factor, rows, options.zero_dead_columns, block_),
        coded_(coded),
        errors_(errors) {
    for (const std::int64_t column : factor.order())
      importance_.push_back(factor.diagonal()[static_cast<std::size_t>(column)]);
    for (std::size_t r = 0; r < rows.size(); ++r) {
      if (static_groups_) row_scales(rows[r], grid, factor.diagonal(), coded[r].scales);
      errors_[r] = 0;
    }
  }

  void run() {
    for (std::int64_t begin = 0; begin < columns_; begin += block_) {
      for (std::size_t r = 0; r < rows_.rows(); ++r) round_block(r, begin, std::min(columns_, begin + block_));
      rows_.close_block(begin);
    }
  }

 private:
  void round_block(std::size_t r, std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t column = factor_.order()[static_cast<std::size_t>(i)];
      GroupScale& group = coded_[r].scales[static_cast<std::size_t>(column / width_)];
      if (!static_groups_ && i % width_ == 0) group = scale_on_arrival(r, i);
      const std::int32_t code = code_of(static_cast<double>(rows_.next(r, i)), group, grid_);
      coded_[r].codes[static_cast<std::size_t>(column)] = code;
      const double left = rows_.settle(r, i, restored(code, group));
      errors_[r] += left * left;
    }
  }

  GroupScale scale_on_arrival(std::size_t r, std::int64_t begin) const {
    std::vector<float> joint(static_cast<std::size_t>(width_));
    rows_.joint(r, begin, joint);
    return group_scale(joint, grid_, std::span(importance_).subspan(static_cast<std::size_t>(begin), joint.size()));
  }

  const HessianFactor& factor_;
  const CodeGrid& grid_;
  std::int64_t columns_, width_, block_;
  bool static_groups_;
  CompensatedRows rows_;
  std::span<CodedRow> coded_;
  std::span<double> errors_;
  std::vector<float> importance_;  ///< [I] by place
};

}  // namespace

void gptq_rows(const HessianFactor& factor, const CodeGrid& grid, const GptqOptions& options,
               std::span<const std::span<const float>> rows, std::span<CodedRow> coded, std::span<double> errors) {
  RowQuantizer(factor, grid, options, rows, coded, errors).run();
}

}  // namespace retort::quantize
