// Base class of quantizers (retort.quantizer/1).
#pragma once

#include <retort/abi/quantizer.h>

#include <retort/component.hpp>
#include <retort/site.hpp>
#include <retort/tensor.hpp>

namespace retort {

struct QuantizeRequirements {
  std::uint64_t signals = 0;  ///< INPUT_…
  std::int64_t samples = 0;   ///< calibration rows
};

/// How the modules of one site are stored.
struct QuantizeScheme {
  std::int32_t bits = 8;  ///< 0: floating point
  bool symmetric = true;
  std::int64_t group_size = 0;  ///< 0: the whole row
};

/// w ≈ scale · (code − zero_point); Q groups a row. Every element is to be written.
struct QuantizeOutput {
  TensorView<std::int8_t> codes;            ///< [O,I] of a symmetric scheme
  TensorView<std::uint8_t> codes_unsigned;  ///< [O,I] of an asymmetric one
  TensorView<float> scales;                 ///< [O,Q]
  TensorView<std::int32_t> zero_points;     ///< [O,Q]; empty when symmetric

  explicit QuantizeOutput(const retort_quantize_output& output)
      : scales(output.scales, "scales", 2), zero_points(output.zero_points, "zero_points", 2) {
    if (output.codes->dtype_code == RETORT_DTYPE_UINT)
      codes_unsigned = {output.codes, "codes", 2};
    else
      codes = {output.codes, "codes", 2};
  }
};

class Quantizer : public ComponentBase {
 public:
  static constexpr const char* interface_id = RETORT_QUANTIZER_INTERFACE;
  virtual QuantizeRequirements requirements() const { return {}; }
  /// Asked of every site before any work; without weights and statistics.
  virtual QuantizeScheme scheme(const Site& site) = 0;
  /// Writes `factors` [I]; returns false, with `factors` left alone, where the site is not smoothed.
  virtual bool smooth(const Site& /*site*/, TensorView<float> /*factors*/, Metrics& /*metrics*/) { return false; }
  virtual Metrics quantize(const Site& site, std::size_t module, const QuantizeScheme& scheme,
                           const QuantizeOutput& output) = 0;

  const void* table(std::string_view id) const final {
    static const retort_quantizer_v1 functions = {
        RETORT_QUANTIZER_V1_SIZE, 0, &abi_requirements, &abi_scheme, &abi_smooth, &abi_quantize};
    return id == interface_id ? &functions : nullptr;
  }

 private:
  static retort_error* abi_requirements(retort_instance* instance, retort_quantize_requirements* out) {
    return detail::guarded([&] {
      const QuantizeRequirements wanted = detail::self<Quantizer>(instance).requirements();
      out->signals = wanted.signals;
      out->samples = wanted.samples;
    });
  }
  static retort_error* abi_scheme(retort_instance* instance, const retort_site* site, retort_quantize_scheme* out) {
    return detail::guarded([&] {
      const QuantizeScheme scheme = detail::self<Quantizer>(instance).scheme(Site(*site));
      out->bits = scheme.bits;
      out->symmetric = scheme.symmetric ? 1 : 0;
      out->group_size = scheme.group_size;
    });
  }
  static retort_error* abi_smooth(retort_instance* instance, const retort_site* site, const retort_tensor* factors,
                                  const retort_metric_sink* metrics) {
    return detail::guarded([&] {
      const TensorView<float> out{factors, "factors", 1};
      Metrics found;
      if (!detail::self<Quantizer>(instance).smooth(Site(*site), out, found))
        for (std::int64_t i = 0; i < out.rows(); ++i) out[i] = 1;
      detail::report(metrics, found);
    });
  }
  static retort_error* abi_quantize(retort_instance* instance, const retort_site* site, std::uint64_t module,
                                    const retort_quantize_scheme* scheme, const retort_quantize_output* output,
                                    const retort_metric_sink* metrics) {
    return detail::guarded([&] {
      detail::report(metrics, detail::self<Quantizer>(instance).quantize(
                                  Site(*site), static_cast<std::size_t>(module),
                                  {scheme->bits, scheme->symmetric != 0, scheme->group_size}, QuantizeOutput(*output)));
    });
  }
};

}  // namespace retort
