// GPTQ (arXiv 2210.17323): codes of rows of weights, column by column, where the columns to come make up for the error
// of those that are done. No g_idx: groups are those of the stored columns whatever the order is.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "code_grid.h"
#include "hessian_factor.h"

namespace retort::quantize {

struct GptqOptions {
  /// True: all scales come from the untouched weights (llm-compressor's default, gptq/base.py). False: a group's scales
  /// come from the weights as they are when its first column is reached, as in the paper; not with
  /// ColumnOrder::activation, where a group's columns do not follow each other.
  bool static_groups = true;
  bool zero_dead_columns = false;  ///< weights of inputs that were never seen become 0, as in the paper's code
  std::int64_t block = 128;        ///< columns that are done before the rest is updated: speed only
};

/// `rows` [R] of I weights each, all finite, become `coded` [R]; `errors` [R] becomes (w − ŵ)·(H + λ)·(w − ŵ).
/// Importance of columns in a search of scales is the diagonal of H.
void gptq_rows(const compression::HessianFactor& factor, const CodeGrid& grid, const GptqOptions& options,
               std::span<const std::span<const float>> rows, std::span<CodedRow> coded, std::span<double> errors);

}  // namespace retort::quantize
