// See reference_kernels.h.
#include "runtime/kernels/reference_kernels.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

#include "runtime/linear/outliers.h"

namespace retort::runtime {

Row ref_linear(const Row& x, const std::vector<float>& weight, std::int64_t out) {
  Row y(static_cast<std::size_t>(out));
  for (std::size_t o = 0; o < y.size(); ++o) {
    double sum = 0;
    for (std::size_t i = 0; i < x.size(); ++i) sum += double{x[i]} * double{weight[o * x.size() + i]};
    y[o] = static_cast<float>(sum);
  }
  return y;
}

Row ref_linear_int8(const std::vector<std::int8_t>& x, const std::vector<std::int8_t>& weight, const Row& scales) {
  Row y(scales.size());
  for (std::size_t o = 0; o < y.size(); ++o) {
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < x.size(); ++i) sum += std::int64_t{x[i]} * std::int64_t{weight[o * x.size() + i]};
    y[o] = static_cast<float>(sum) * scales[o];
  }
  return y;
}

Row ref_linear_wide(const std::vector<std::int32_t>& x, const std::vector<std::int8_t>& weight, const Row& scales,
                    std::int64_t group) {
  const std::size_t in = x.size(), width = static_cast<std::size_t>(group), groups = (in + width - 1) / width;
  Row y(weight.size() / in);
  for (std::size_t n = 0; n < y.size(); ++n) {
    double total = 0;
    for (std::size_t i = 0; i < in; ++i)
      total += static_cast<double>(x[i]) * weight[n * in + i] * double{scales[n * groups + i / width]};
    y[n] = static_cast<float>(total);
  }
  return y;
}

Row ref_rms_norm(const Row& x, const Row& weight, double epsilon) {
  double squares = 0;
  for (const float value : x) squares += double{value} * double{value};
  const double root = std::sqrt(squares / static_cast<double>(x.size()) + epsilon);
  Row y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = static_cast<float>(double{x[i]} / root * double{weight[i]});
  return y;
}

RefQuantizedRow ref_quantize_row(const Row& x) {
  float maximum = 0;
  for (const float value : x) maximum = std::max(maximum, std::fabs(value));
  RefQuantizedRow result{std::vector<std::int8_t>(x.size()), maximum / 127.0f};
  if (maximum == 0) return result;
  const float inverse = 127.0f / maximum;
  for (std::size_t i = 0; i < x.size(); ++i) result.codes[i] = static_cast<std::int8_t>(std::nearbyint(x[i] * inverse));
  return result;
}

RefSplitRow ref_split_outliers(const Row& x) {
  double limit = std::numeric_limits<double>::infinity();
  for (int step = 0; step < 2; ++step) {
    double squares = 0;
    for (const float value : x) squares += std::fabs(double{value}) > limit ? 0 : double{value} * double{value};
    limit = kOutlier * std::sqrt(squares / static_cast<double>(x.size()));
  }
  RefSplitRow split{x, Row(x.size())};
  bool zeros = true;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (std::fabs(double{x[i]}) > limit)
      std::swap(split.regular[i], split.outliers[i]);
    else
      zeros = zeros && x[i] == 0;
  }
  return zeros ? RefSplitRow{x, Row(x.size())} : split;
}

Row ref_linear_int8_rows(const Row& x, const std::vector<std::int8_t>& weight, const Row& scales) {
  const RefSplitRow split = ref_split_outliers(x);
  const RefQuantizedRow quantized = ref_quantize_row(split.regular);
  Row y = ref_linear_int8(quantized.codes, weight, scales);
  for (std::size_t o = 0; o < y.size(); ++o) {
    double sum = double{y[o]} * double{quantized.scale};
    for (std::size_t i = 0; i < x.size(); ++i)
      sum += double{split.outliers[i]} * weight[o * x.size() + i] * double{scales[o]};
    y[o] = static_cast<float>(sum);
  }
  return y;
}

Row ref_rotate(const Row& x, std::int64_t position, const std::vector<double>& frequencies) {
  const std::size_t half = x.size() / 2;
  Row y(x.size());
  for (std::size_t i = 0; i < half; ++i) {
    const double angle = static_cast<double>(position) * frequencies[i];
    const double first = double{x[i]}, second = double{x[i + half]};
    y[i] = static_cast<float>(first * std::cos(angle) - second * std::sin(angle));
    y[i + half] = static_cast<float>(second * std::cos(angle) + first * std::sin(angle));
  }
  return y;
}

Row ref_swiglu(const Row& gate, const Row& up) {
  Row y(gate.size());
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double g = double{gate[i]};
    y[i] = static_cast<float>(g / (1.0 + std::exp(-g)) * double{up[i]});
  }
  return y;
}

Row ref_geglu(const Row& gate, const Row& up) {
  Row y(gate.size());
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double g = double{gate[i]};
    const double inner = std::sqrt(2.0 / std::numbers::pi) * (g + 0.044715 * g * g * g);
    y[i] = static_cast<float>(0.5 * g * (1.0 + std::tanh(inner)) * double{up[i]});
  }
  return y;
}

Row ref_attend(const Row& query, const std::vector<Row>& keys, const std::vector<Row>& values, double divisor) {
  if (divisor == 0) divisor = std::sqrt(static_cast<double>(query.size()));
  std::vector<double> weights(keys.size());
  for (std::size_t t = 0; t < keys.size(); ++t) {
    for (std::size_t d = 0; d < query.size(); ++d) weights[t] += double{query[d]} * double{keys[t][d]};
    weights[t] /= divisor;
  }
  const double maximum = *std::max_element(weights.begin(), weights.end());
  double sum = 0;
  for (double& weight : weights) sum += weight = std::exp(weight - maximum);
  std::vector<double> mixed(query.size());
  for (std::size_t t = 0; t < keys.size(); ++t) {
    for (std::size_t d = 0; d < mixed.size(); ++d) mixed[d] += weights[t] / sum * double{values[t][d]};
  }
  return {mixed.begin(), mixed.end()};
}

}  // namespace retort::runtime
