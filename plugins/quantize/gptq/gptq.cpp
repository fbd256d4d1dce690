// See gptq.h and the formulas of hessian_factor.h.
#include "gptq.h"

#include <algorithm>

#include "vector_kernels.h"

namespace retort::quantize {

namespace {

constexpr std::int64_t tile = 512;  // a block of ratios of so many columns stays in the second-level cache

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
        coded_(coded),
        errors_(errors) {
    const auto size = static_cast<std::size_t>(columns_);
    for (std::size_t place = 0; place < size; ++place)
      importance_.push_back(factor.diagonal()[static_cast<std::size_t>(factor.order()[place])]);
    for (std::size_t r = 0; r < rows.size(); ++r) {
      std::vector<float> placed(size);
      for (std::size_t place = 0; place < size; ++place) {
        const bool dead = options.zero_dead_columns && importance_[place] == 0;
        placed[place] = dead ? 0.0f : rows[r][static_cast<std::size_t>(factor.order()[place])];
      }
      if (static_groups_) row_scales(rows[r], grid, factor.diagonal(), coded[r].scales);
      errors_[r] = 0;
      weights_.push_back(placed);
      updated_.push_back(std::move(placed));
    }
    steps_.assign(rows.size(), std::vector<float>(static_cast<std::size_t>(block_)));
  }

  void run() {
    for (std::int64_t begin = 0; begin < columns_; begin += block_) {
      const std::int64_t end = std::min(columns_, begin + block_);
      for (std::size_t r = 0; r < updated_.size(); ++r) round_block(r, begin, end);
      for (std::int64_t first = end; first < columns_; first += tile)
        for (std::size_t r = 0; r < updated_.size(); ++r)
          compensate(r, begin, end, first, std::min(columns_, first + tile));
    }
  }

 private:
  void round_block(std::size_t r, std::int64_t begin, std::int64_t end) {
    float* const updated = updated_[r].data();
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t column = factor_.order()[static_cast<std::size_t>(i)];
      GroupScale& group = coded_[r].scales[static_cast<std::size_t>(column / width_)];
      if (!static_groups_ && i % width_ == 0) group = scale_on_arrival(r, i);
      const double weight = static_cast<double>(updated[i]);
      const std::int32_t code = code_of(weight, group, grid_);
      const double rounded = restored(code, group);
      const double left = factor_.pivots()[static_cast<std::size_t>(i)] * (weight - rounded);
      const float step = static_cast<float>(static_cast<double>(weights_[r][static_cast<std::size_t>(i)]) - rounded);
      coded_[r].codes[static_cast<std::size_t>(column)] = code;
      errors_[r] += left * left;
      steps_[r][static_cast<std::size_t>(i - begin)] = step;
      add_scaled(step, factor_.ratios(i) + i + 1, updated + i + 1, static_cast<std::size_t>(end - i - 1));
    }
  }

  /// Of the group at [begin, begin + width): from its weights as they make up best for the columns before, together.
  /// `updated_` makes up for rounded columns only, and so is that only at the column that is next.
  GroupScale scale_on_arrival(std::size_t r, std::int64_t begin) const {
    const auto first = static_cast<std::size_t>(begin), width = static_cast<std::size_t>(width_);
    std::vector<float> joint(updated_[r].begin() + begin, updated_[r].begin() + begin + width_);
    for (std::size_t i = 0; i + 1 < width; ++i)
      add_scaled(weights_[r][first + i] - joint[i],
                 factor_.ratios(begin + static_cast<std::int64_t>(i)) + first + i + 1, &joint[i + 1], width - i - 1);
    return group_scale(joint, grid_, std::span(importance_).subspan(first, width));
  }

  /// Columns [first, last) take up the errors of the block [begin, end).
  void compensate(std::size_t r, std::int64_t begin, std::int64_t end, std::int64_t first, std::int64_t last) {
    float* const updated = updated_[r].data() + first;
    const float* const steps = steps_[r].data();
    const auto size = static_cast<std::size_t>(last - first);
    std::int64_t j = begin;
    for (; j + 4 <= end; j += 4) {
      const float* const ratios[4] = {factor_.ratios(j) + first, factor_.ratios(j + 1) + first,
                                      factor_.ratios(j + 2) + first, factor_.ratios(j + 3) + first};
      add_scaled(steps + (j - begin), ratios, updated, size);
    }
    for (; j < end; ++j) add_scaled(steps[j - begin], factor_.ratios(j) + first, updated, size);
  }

  const HessianFactor& factor_;
  const CodeGrid& grid_;
  std::int64_t columns_, width_, block_;
  bool static_groups_;
  std::span<CodedRow> coded_;
  std::span<double> errors_;
  std::vector<float> importance_;                      ///< [I] by place
  std::vector<std::vector<float>> weights_, updated_;  ///< [R][I] by place: as given, and with compensation
  std::vector<std::vector<float>> steps_;              ///< [R][block] w − ŵ
};

}  // namespace

void gptq_rows(const HessianFactor& factor, const CodeGrid& grid, const GptqOptions& options,
               std::span<const std::span<const float>> rows, std::span<CodedRow> coded, std::span<double> errors) {
  RowQuantizer(factor, grid, options, rows, coded, errors).run();
}

}  // namespace retort::quantize
