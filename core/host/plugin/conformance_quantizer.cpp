// retort.quantizer/1 on a seeded weight: O output rows, I input columns, S samples, Q groups.
#include <retort/abi/quantizer.h>

#include <algorithm>

#include "host/plugin/conformance_checks.h"
#include "host/plugin/conformance_tensor.h"
#include "host/plugin/plugin_error.h"

namespace retort::host {
namespace {

constexpr std::int64_t O = 8;

retort_quantize_requirements requirements_of(const Subject& subject) {
  retort_quantize_requirements out{};
  out.struct_size = sizeof out;
  throw_if_error(subject.functions<retort_quantizer_v1>().requirements(subject.instance, &out), "requirements()");
  return out;
}

void check_requirements(const Subject& subject) {
  const retort_quantize_requirements wanted = requirements_of(subject);
  constexpr std::uint32_t known = RETORT_SIGNAL_INPUT_ABSOLUTE_MEAN | RETORT_SIGNAL_INPUT_ABSOLUTE_MAX |
                                  RETORT_SIGNAL_INPUT_HESSIAN | RETORT_SIGNAL_INPUT_SAMPLES;
  expect((wanted.signals & ~known) == 0, "unknown bits in signals: " + std::to_string(wanted.signals));
  expect(wanted.bits >= 2 && wanted.bits <= 8, "bits is " + std::to_string(wanted.bits) + ", expected 2 to 8");
  expect(wanted.group_size >= 0, "group_size is negative");
  expect(wanted.group_size <= 1024, "group_size is " + std::to_string(wanted.group_size) + ", expected at most 1024");
  expect(wanted.signals == 0 || wanted.samples > 0, "wants signals but no samples");
}

class Layer {
 public:
  explicit Layer(const Subject& subject) : Layer(subject, requirements_of(subject)) {}

  void quantize() {
    retort_quantize_input input{};
    input.struct_size = sizeof input;
    input.module = to_abi("model.layers.0.mlp.up_proj");
    input.weight = weight.input();
    const auto if_wanted = [&](std::uint32_t signal, auto& tensor) {
      return (wanted.signals & signal) != 0 ? tensor.input() : nullptr;
    };
    input.input_absolute_mean = if_wanted(RETORT_SIGNAL_INPUT_ABSOLUTE_MEAN, mean_);
    input.input_absolute_max = if_wanted(RETORT_SIGNAL_INPUT_ABSOLUTE_MAX, maximum_);
    input.input_hessian = if_wanted(RETORT_SIGNAL_INPUT_HESSIAN, hessian_);
    input.input_samples = if_wanted(RETORT_SIGNAL_INPUT_SAMPLES, samples_);
    retort_quantize_output output{};
    output.struct_size = sizeof output;
    output.codes = wanted.symmetric != 0 ? codes.output() : codes_unsigned.output();
    output.scales = scales.output();
    output.zero_points = wanted.symmetric != 0 ? nullptr : zero_points.output();
    output.smoothing = smoothing.output();
    const retort_metric_sink sink{sizeof sink, 0, nullptr, [](void*, retort_string, double) {}};
    throw_if_error(subject_.functions<retort_quantizer_v1>().quantize(subject_.instance, &input, &output, &sink),
                   "quantize()");
  }
  std::int64_t code(std::int64_t o, std::int64_t i) const {
    return wanted.symmetric != 0 ? std::int64_t{codes.at(o, i)} : std::int64_t{codes_unsigned.at(o, i)};
  }
  std::int64_t zero_point(std::int64_t o, std::int64_t q) const {
    return wanted.symmetric != 0 ? 0 : zero_points.at(o, q);
  }

 private:
  Layer(const Subject& subject, const retort_quantize_requirements& asked)
      : subject_(subject),
        wanted(asked),
        I(asked.group_size > 0 ? 2 * asked.group_size : 32),
        Q(asked.group_size > 0 ? 2 : 1),
        weight(O, I),
        codes(O, I),
        codes_unsigned(O, I),
        scales(O, Q),
        zero_points(O, Q),
        smoothing(I),
        mean_(I),
        maximum_(I),
        hessian_(I, I),
        samples_(2 * I, I) {
    SeededNumbers numbers(20250415);
    weight.fill([&] { return static_cast<float>(0.05 * numbers.normal()); });
    samples_.fill([&] { return static_cast<float>(numbers.normal()); });
    const auto rows = static_cast<double>(samples_.rows());
    for (std::int64_t i = 0; i < I; ++i) {
      mean_.at(i) = 0;
      maximum_.at(i) = 0;
      for (std::int64_t s = 0; s < samples_.rows(); ++s) {
        mean_.at(i) += static_cast<float>(std::abs(samples_.at(s, i)) / rows);
        maximum_.at(i) = std::max(maximum_.at(i), std::abs(samples_.at(s, i)));
      }
      for (std::int64_t j = 0; j < I; ++j) {
        double sum = 0;
        for (std::int64_t s = 0; s < samples_.rows(); ++s) sum += double{samples_.at(s, i)} * samples_.at(s, j);
        hessian_.at(i, j) = static_cast<float>(2 * sum / rows);
      }
    }
  }

  const Subject& subject_;

 public:
  const retort_quantize_requirements wanted;
  const std::int64_t I, Q;
  OwnedTensor<float> weight;
  OwnedTensor<std::int8_t> codes;
  OwnedTensor<std::uint8_t> codes_unsigned;
  OwnedTensor<float> scales;
  OwnedTensor<std::int32_t> zero_points;
  OwnedTensor<float> smoothing;

 private:
  OwnedTensor<float> mean_, maximum_, hessian_, samples_;
};

void check_ranges(const Layer& layer) {
  const std::int64_t levels = std::int64_t{1} << layer.wanted.bits;
  const std::int64_t low = layer.wanted.symmetric != 0 ? -levels / 2 : 0;
  const auto inside = [&](std::int64_t code) { return code >= low && code < low + levels; };
  for (std::int64_t o = 0; o < O; ++o) {
    for (std::int64_t i = 0; i < layer.I; ++i)
      expect(inside(layer.code(o, i)), "code " + std::to_string(layer.code(o, i)) + " at row " + std::to_string(o) +
                                           ", column " + std::to_string(i) + " is outside " + std::to_string(low) +
                                           " … " + std::to_string(low + levels - 1));
    for (std::int64_t q = 0; q < layer.Q; ++q) {
      expect(std::isfinite(layer.scales.at(o, q)) && layer.scales.at(o, q) > 0,
             "the scale of row " + std::to_string(o) + ", group " + std::to_string(q) +
                 " is not positive and finite, or not written");
      expect(inside(layer.zero_point(o, q)) || layer.wanted.symmetric != 0,
             "the zero point of row " + std::to_string(o) + " is outside the codes, or not written");
    }
  }
  for (std::int64_t i = 0; i < layer.I; ++i)
    expect(std::isfinite(layer.smoothing.at(i)) && layer.smoothing.at(i) > 0,
           "the smoothing of column " + std::to_string(i) + " is not positive and finite, or not written (1 is off)");
}

/// ‖W − Ŵ‖² < ‖W‖²: the codes stand for the weight better than zeros would.
void check_closeness(const Layer& layer) {
  double error = 0, energy = 0;
  for (std::int64_t o = 0; o < O; ++o)
    for (std::int64_t i = 0; i < layer.I; ++i) {
      const std::int64_t q = i / (layer.I / layer.Q);
      const double scaled =
          double{layer.scales.at(o, q)} * static_cast<double>(layer.code(o, i) - layer.zero_point(o, q));
      const double weight = layer.weight.at(o, i), found = scaled / layer.smoothing.at(i);
      error += (weight - found) * (weight - found);
      energy += weight * weight;
    }
  expect(error < energy, "the dequantised weight is no nearer to the weight than zeros: squared error " +
                             std::to_string(error) + " of " + std::to_string(energy));
}

void check_repeatable(const Layer& first, const Layer& second) {
  for (std::int64_t o = 0; o < O; ++o)
    for (std::int64_t i = 0; i < first.I; ++i)
      expect(first.code(o, i) == second.code(o, i),
             "the same weight gave two different codes at row " + std::to_string(o) + ", column " + std::to_string(i));
}

}  // namespace

void check_quantizer(CheckLog& log, const Subject& subject) {
  if (!log.run(subject.id, "requirements are usable", [&] { check_requirements(subject); })) return;
  Layer layer(subject), again(subject);
  const bool ranges = log.run(subject.id, "codes, scales and zero points are in range", [&] {
    layer.quantize();
    check_ranges(layer);
  });
  if (!ranges) return;
  log.run(subject.id, "dequantised weight is near the weight", [&] { check_closeness(layer); });
  log.run(subject.id, "same input gives the same codes", [&] {
    again.quantize();
    check_repeatable(layer, again);
  });
}

}  // namespace retort::host
