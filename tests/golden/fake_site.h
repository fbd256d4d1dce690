// A site with calibration statistics, and quantizers' libraries called on it through the C ABI. For the tests of
// quantizers and sparsifiers.
#pragma once

#include <retort/abi/quantizer.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "loaded_plugin.h"

namespace retort::golden {

template <typename Action>
std::string site_refusal(Action action) {
  try {
    action();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "accepted";
}

inline bool says(const std::string& message, const char* part) {
  return message.find(part) != std::string::npos;
}

/// "model.layers.0.self_attn.o": one module [O,I] with statistics of S correlated rows.
struct FakeSite {
  static constexpr std::int64_t rows = 6, columns = 16, samples = 40;
  Tensor<float> weight{{rows, columns}, std::vector<float>(rows* columns)};
  Tensor<float> means{{columns}, std::vector<float>(columns)}, squares{{columns}, std::vector<float>(columns)},
      largest{{columns}, std::vector<float>(columns)};
  Tensor<float> hessian{{columns, columns}, std::vector<float>(columns* columns)};
  Tensor<float> inputs{{samples, columns}, std::vector<float>(samples* columns)};
  std::string site_name = "model.layers.0.self_attn.o", module_name = "model.layers.0.self_attn.o_proj";
  retort_site_module module{sizeof module, 0, {}, nullptr, rows, columns};
  retort_site_statistics statistics{};
  retort_site site{};

  FakeSite() {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    for (float& value : weight.values) value = normal(random);
    for (std::size_t s = 0; s < samples; ++s) {
      const float shared = normal(random);
      float* const x = &inputs.values[s * columns];
      for (std::size_t i = 0; i < columns; ++i) x[i] = (normal(random) + shared) * (i == 3 ? 20 : 1);
      for (std::size_t i = 0; i < columns; ++i) {
        means.values[i] += std::abs(x[i]) / samples;
        squares.values[i] += x[i] * x[i];
        largest.values[i] = std::max(largest.values[i], std::abs(x[i]));
        for (std::size_t j = 0; j < columns; ++j) hessian.values[i * columns + j] += 2 * x[i] * x[j] / samples;
      }
    }
    module.name = {module_name.data(), module_name.size()};
    module.weight = weight.view();
    statistics = {sizeof statistics, 0, samples, means.view(), largest.view(), squares.view(), hessian.view(),
                  inputs.view()};
    site = {sizeof site, RETORT_PRODUCER_VALUE, {site_name.data(), site_name.size()}, &module, 1, columns, 4, 2,
            &statistics};
  }

  /// (w − ŵ)·H·(w − ŵ), mean over rows.
  double error_of(const std::vector<double>& restored) const {
    double sum = 0;
    for (std::size_t o = 0; o < rows; ++o)
      for (std::size_t i = 0; i < columns; ++i)
        for (std::size_t j = 0; j < columns; ++j)
          sum += (static_cast<double>(weight.values[o * columns + i]) - restored[o * columns + i]) *
                 static_cast<double>(hessian.values[i * columns + j]) *
                 (static_cast<double>(weight.values[o * columns + j]) - restored[o * columns + j]) / rows;
    return sum;
  }
};

struct Quantized {
  std::vector<double> restored;
  MetricMap metrics;
};

inline retort_quantize_scheme scheme_of(const LoadedComponent& component, const retort_site& site) {
  retort_quantize_scheme scheme{};
  scheme.struct_size = sizeof scheme;
  throw_if_error(component.functions<retort_quantizer_v1>(RETORT_QUANTIZER_INTERFACE)
                     .scheme(component.instance(), &site, &scheme));
  return scheme;
}

template <typename Code>
Quantized quantized_as(const LoadedComponent& component, const FakeSite& fake, const retort_quantize_scheme& scheme) {
  const std::int64_t width = scheme.group_size > 0 ? scheme.group_size : FakeSite::columns;
  const std::int64_t groups = FakeSite::columns / width;
  Tensor<Code> codes({FakeSite::rows, FakeSite::columns}, std::vector<Code>(FakeSite::rows * FakeSite::columns, 99));
  Tensor<float> scales({FakeSite::rows, groups}, std::vector<float>(static_cast<std::size_t>(FakeSite::rows * groups),
                                                                    std::numeric_limits<float>::quiet_NaN()));
  Tensor<std::int32_t> zeros({FakeSite::rows, groups},
                             std::vector<std::int32_t>(static_cast<std::size_t>(FakeSite::rows * groups), -1));
  const retort_quantize_output output{sizeof output, 0, codes.view(), scales.view(),
                                      scheme.symmetric != 0 ? nullptr : zeros.view()};
  Quantized result;
  const retort_metric_sink sink = sink_into(result.metrics);
  throw_if_error(component.functions<retort_quantizer_v1>(RETORT_QUANTIZER_INTERFACE)
                     .quantize(component.instance(), &fake.site, 0, &scheme, &output, &sink));
  for (std::size_t i = 0; i < codes.values.size(); ++i) {
    const std::size_t group = i / static_cast<std::size_t>(width);
    const int zero = scheme.symmetric != 0 ? 0 : zeros.values[group];
    result.restored.push_back(static_cast<double>(scales.values[group]) * (static_cast<int>(codes.values[i]) - zero));
  }
  return result;
}

inline Quantized quantized(const std::string& library, const Parameters& parameters, const FakeSite& fake) {
  const LoadedComponent component(library, parameters);
  const retort_quantize_scheme scheme = scheme_of(component, fake.site);
  return scheme.symmetric != 0 ? quantized_as<std::int8_t>(component, fake, scheme)
                               : quantized_as<std::uint8_t>(component, fake, scheme);
}

inline Parameters four_bits(bool symmetric) {
  return {{"bits", std::int64_t{4}}, {"group_size", std::int64_t{8}}, {"symmetric", symmetric}};
}

}  // namespace retort::golden
