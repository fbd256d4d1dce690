// Base class of quantizers (retort.quantizer/1).
#pragma once

#include <retort/abi/quantizer.h>

#include <retort/component.hpp>
#include <retort/tensor.hpp>

namespace retort {

struct QuantizeRequirements {
  std::uint32_t signals = 0;  ///< RETORT_SIGNAL_INPUT_…
  std::int64_t samples = 0;
  std::int32_t bits = 8;
  bool symmetric = true;
  std::int64_t group_size = 0;  ///< 0: one scale a row
};

/// O output rows, I input columns, S samples. Views that were not asked for are empty.
struct QuantizeInput {
  std::string_view module;
  TensorView<const float> weight;               ///< [O,I]
  TensorView<const float> input_absolute_mean;  ///< [I]
  TensorView<const float> input_absolute_max;   ///< [I]
  TensorView<const float> input_hessian;        ///< [I,I]
  TensorView<const float> input_samples;        ///< [S,I]

  explicit QuantizeInput(const retort_quantize_input& input)
      : module(to_view(input.module)),
        weight(input.weight, "weight", 2),
        input_absolute_mean(input.input_absolute_mean, "input_absolute_mean", 1),
        input_absolute_max(input.input_absolute_max, "input_absolute_max", 1),
        input_hessian(input.input_hessian, "input_hessian", 2),
        input_samples(input.input_samples, "input_samples", 2) {}
};

/// w ≈ scale · (code − zero_point); Q groups a row. Every element is to be written.
struct QuantizeOutput {
  TensorView<std::int8_t> codes;            ///< [O,I] of a symmetric quantizer
  TensorView<std::uint8_t> codes_unsigned;  ///< [O,I] of an asymmetric one
  TensorView<float> scales;                 ///< [O,Q]
  TensorView<std::int32_t> zero_points;     ///< [O,Q]; empty when symmetric
  TensorView<float> smoothing;              ///< [I]; may be empty

  explicit QuantizeOutput(const retort_quantize_output& output)
      : scales(output.scales, "scales", 2),
        zero_points(output.zero_points, "zero_points", 2),
        smoothing(output.smoothing, "smoothing", 1) {
    if (output.codes->dtype_code == RETORT_DTYPE_UINT)
      codes_unsigned = {output.codes, "codes", 2};
    else
      codes = {output.codes, "codes", 2};
  }
};

class Quantizer : public ComponentBase {
 public:
  static constexpr const char* interface_id = RETORT_QUANTIZER_INTERFACE;
  virtual QuantizeRequirements requirements() const = 0;
  virtual Metrics quantize(const QuantizeInput& input, const QuantizeOutput& output) = 0;

  const void* table(std::string_view id) const final {
    static const retort_quantizer_v1 functions = {sizeof(retort_quantizer_v1), 0, &abi_requirements, &abi_quantize};
    return id == interface_id ? &functions : nullptr;
  }

 private:
  static retort_error* abi_requirements(retort_instance* instance, retort_quantize_requirements* out) {
    return detail::guarded([&] {
      const QuantizeRequirements wanted = detail::self<Quantizer>(instance).requirements();
      out->signals = wanted.signals;
      out->samples = wanted.samples;
      out->bits = wanted.bits;
      out->symmetric = wanted.symmetric ? 1 : 0;
      out->group_size = wanted.group_size;
    });
  }
  static retort_error* abi_quantize(retort_instance* instance, const retort_quantize_input* input,
                                    const retort_quantize_output* output, const retort_metric_sink* metrics) {
    return detail::guarded([&] {
      detail::report(metrics,
                     detail::self<Quantizer>(instance).quantize(QuantizeInput(*input), QuantizeOutput(*output)));
    });
  }
};

}  // namespace retort
