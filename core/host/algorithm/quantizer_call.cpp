#include "host/algorithm/quantizer_call.h"

#include <cmath>
#include <limits>
#include <retort/tensor.hpp>
#include <stdexcept>

#include "host/algorithm/component_failure.h"

namespace retort::host {
namespace {

/// The codes of a scheme: [first, last].
struct CodeRange {
  explicit CodeRange(const retort_quantize_scheme& scheme)
      : first(scheme.symmetric != 0 ? -(1 << (scheme.bits - 1)) : 0), last(first + (1 << scheme.bits) - 1) {}
  bool holds(std::int64_t code) const { return code >= first && code <= last; }
  std::string text() const { return std::to_string(first) + " to " + std::to_string(last); }
  std::int64_t first, last;
};

template <typename T>
void fill(const TensorView<T>& tensor, T value) {
  for (std::int64_t row = 0; row < tensor.rows(); ++row)
    for (std::int64_t column = 0; column < tensor.columns(); ++column) tensor(row, column) = value;
}

template <typename T>
void check_codes(const TensorView<T>& codes, const CodeRange& range, const std::string& what) {
  for (std::int64_t row = 0; row < codes.rows(); ++row)
    for (std::int64_t column = 0; column < codes.columns(); ++column)
      if (!range.holds(codes(row, column)))
        throw std::runtime_error(what + " wrote code " + std::to_string(codes(row, column)) + " at row " +
                                 std::to_string(row) + ", column " + std::to_string(column) + ", outside " +
                                 range.text());
}

void check_scales(const TensorView<float>& scales, const std::string& what) {
  for (std::int64_t row = 0; row < scales.rows(); ++row)
    for (std::int64_t group = 0; group < scales.columns(); ++group)
      if (!std::isfinite(scales(row, group)) || scales(row, group) == 0)
        throw std::runtime_error(what + ": the scale of row " + std::to_string(row) + ", group " +
                                 std::to_string(group) + " is " + std::to_string(scales(row, group)) +
                                 " or not written, expected a finite number that is not 0");
}

void check_zero_points(const TensorView<std::int32_t>& zero_points, const CodeRange& range, const std::string& what) {
  for (std::int64_t row = 0; row < zero_points.rows(); ++row)
    for (std::int64_t group = 0; group < zero_points.columns(); ++group)
      if (!range.holds(zero_points(row, group)))
        throw std::runtime_error(what + ": the zero point of row " + std::to_string(row) + ", group " +
                                 std::to_string(group) + " is " + std::to_string(zero_points(row, group)) +
                                 " or not written, expected " + range.text());
}

/// Channels of the query heads that read one value channel can only be scaled together.
void check_shared_factors(const SiteView& site, const TensorView<float>& factors, const std::string& what) {
  const std::int64_t width = site.channel_group, shared = site.shared_heads;
  if (site.producer != RETORT_PRODUCER_VALUE || width <= 0 || shared <= 1) return;
  for (std::int64_t i = 0; i < factors.rows(); ++i) {
    const std::int64_t head = i / width, first = head / shared * shared * width + i % width;
    if (factors[i] != factors[first])
      throw std::runtime_error(what + ": channels " + std::to_string(first) + " and " + std::to_string(i) +
                               " come from the same row of v, so their smoothing factors must be equal; found " +
                               std::to_string(factors[first]) + " and " + std::to_string(factors[i]));
  }
}

}  // namespace

std::int64_t group_width(const retort_quantize_scheme& scheme, std::int64_t columns) {
  return scheme.group_size > 0 ? scheme.group_size : columns;
}

std::string name_of(const retort_quantize_scheme& scheme) {
  if (scheme.bits == 0) return "floating point";
  return std::string(scheme.symmetric != 0 ? "symmetric " : "asymmetric ") + std::to_string(scheme.bits) + " bits " +
         (scheme.group_size > 0 ? "in groups of " + std::to_string(scheme.group_size) : "per channel");
}

retort_quantize_requirements QuantizerCall::requirements() const {
  retort_quantize_requirements wanted{};
  wanted.struct_size = sizeof wanted;
  throw_component_failure(functions_.requirements(instance_, &wanted), id_);
  check_site_requirements(id_, wanted.signals, wanted.samples);
  return wanted;
}

retort_quantize_scheme QuantizerCall::scheme(const SiteView& site) const {
  retort_quantize_scheme scheme{};
  scheme.struct_size = sizeof scheme;
  scheme.bits = -1;
  scheme.symmetric = -1;
  scheme.group_size = -1;
  const AbiSite abi(site);
  const std::string what = id_ + ", scheme of " + site.name;
  throw_component_failure(functions_.scheme(instance_, abi.get(), &scheme), what);
  if (scheme.bits != 0 && (scheme.bits < 2 || scheme.bits > 8))
    throw std::invalid_argument(what + ": expected 0 or 2 to 8 bits, found " + std::to_string(scheme.bits));
  if (scheme.bits != 0 && scheme.symmetric != 0 && scheme.symmetric != 1)
    throw std::invalid_argument(what + ": expected symmetric 0 or 1, found " + std::to_string(scheme.symmetric));
  if (scheme.bits != 0 && scheme.group_size < 0)
    throw std::invalid_argument(what + ": expected a group size of at least 0, found " +
                                std::to_string(scheme.group_size));
  return scheme;
}

bool QuantizerCall::smooths() const {
  return functions_.smooth != nullptr;
}

void QuantizerCall::smooth(const SiteView& site, const retort_tensor& factors, CallMetrics& metrics) const {
  const std::string what = id_ + ", smoothing of " + site.name;
  const TensorView<float> written(&factors, "factors", 1);
  for (std::int64_t i = 0; i < written.rows(); ++i) written[i] = std::numeric_limits<float>::quiet_NaN();
  const AbiSite abi(site);
  const retort_metric_sink sink = sink_into(metrics);
  throw_component_failure(functions_.smooth(instance_, abi.get(), &factors, &sink), what);
  for (std::int64_t i = 0; i < written.rows(); ++i)
    if (!std::isfinite(written[i]) || written[i] <= 0)
      throw std::runtime_error(what + ": the factor of column " + std::to_string(i) + " is " +
                               std::to_string(written[i]) +
                               " or not written, expected a positive finite number (1 is off)");
  check_shared_factors(site, written, what);
}

void QuantizerCall::quantize(const SiteView& site, std::size_t module, const retort_quantize_scheme& scheme,
                             const retort_quantize_output& output, CallMetrics& metrics) const {
  const std::string what = id_ + ", " + site.modules.at(module).name;
  const bool symmetric = scheme.symmetric != 0;
  TensorView<std::int8_t> codes;
  TensorView<std::uint8_t> codes_unsigned;
  if (symmetric)
    fill(codes = TensorView<std::int8_t>(output.codes, "codes", 2), std::numeric_limits<std::int8_t>::max());
  else
    fill(codes_unsigned = TensorView<std::uint8_t>(output.codes, "codes", 2), std::numeric_limits<std::uint8_t>::max());
  const TensorView<float> scales(output.scales, "scales", 2);
  const TensorView<std::int32_t> zero_points(output.zero_points, "zero_points", 2);
  fill(scales, std::numeric_limits<float>::quiet_NaN());
  fill(zero_points, std::numeric_limits<std::int32_t>::min());
  const AbiSite abi(site);
  const retort_metric_sink sink = sink_into(metrics);
  throw_component_failure(functions_.quantize(instance_, abi.get(), module, &scheme, &output, &sink), what);
  const CodeRange range(scheme);
  check_codes(codes, range, what);
  check_codes(codes_unsigned, range, what);
  check_scales(scales, what);
  check_zero_points(zero_points, range, what);
}

}  // namespace retort::host
