// The slow, obvious version of every kernel: plain loops in double, no layout tricks. Tests compare the fast ones with
// these; nothing else may call them.
#pragma once

#include <cstdint>
#include <vector>

namespace retort::runtime {

using Row = std::vector<float>;

struct RefQuantizedRow {
  std::vector<std::int8_t> codes;
  float scale = 0;
};

/// x[in] · weight[out,in]ᵀ → [out].
Row ref_linear(const Row& x, const std::vector<float>& weight, std::int64_t out);
/// Codes · codes in integers, then · scales[out]; the row's own scale is not applied.
Row ref_linear_int8(const std::vector<std::int8_t>& x, const std::vector<std::int8_t>& weight, const Row& scales);
/// Codes of 15 bits times codes with a scale per output row and `group` columns; the row's own scale is not applied.
Row ref_linear_wide(const std::vector<std::int32_t>& x, const std::vector<std::int8_t>& weight, const Row& scales,
                    std::int64_t group);
Row ref_rms_norm(const Row& x, const Row& weight, double epsilon);
RefQuantizedRow ref_quantize_row(const Row& x);
/// x = regular + outliers, as outliers.h separates them.
struct RefSplitRow {
  Row regular, outliers;
};
RefSplitRow ref_split_outliers(const Row& x);
/// A row in 8 bits, but its outliers as they are, times codes with scales [out]; the row's scale is applied.
Row ref_linear_int8_rows(const Row& x, const std::vector<std::int8_t>& weight, const Row& scales);
/// One head at `position`, half-rotation order, by position · frequencies[i] radians, i < d/2.
Row ref_rotate(const Row& x, std::int64_t position, const std::vector<double>& frequencies);
Row ref_swiglu(const Row& gate, const Row& up);
/// With the tanh form of gelu.
Row ref_geglu(const Row& gate, const Row& up);
/// softmax(query · keyᵀ / divisor) · value over all given positions; 0: sqrt(d).
Row ref_attend(const Row& query, const std::vector<Row>& keys, const std::vector<Row>& values, double divisor = 0);

}  // namespace retort::runtime
