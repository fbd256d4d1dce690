// retort.quantizer/1 on seeded sites, through the code that stages call it with: O output rows, I input columns, Q
// groups.
#include <algorithm>
#include <cmath>
#include <limits>

#include "host/algorithm/quantizer_call.h"
#include "host/plugin/conformance_checks.h"
#include "host/plugin/conformance_site.h"

namespace retort::host {
namespace {

constexpr std::uint32_t producers[] = {RETORT_PRODUCER_NORM, RETORT_PRODUCER_VALUE, RETORT_PRODUCER_UP};

/// How much larger than the best grid's a row's squared error may be. The largest magnitude over 2^(bits-1) - 1 stays
/// below 2 with 4 bits and more; a scale 1.9 times too large gives 3.6 and more. With 2 bits that same scale gives 5,
/// and zeros in place of the weights 8.
double allowed_factor(const retort_quantize_scheme& scheme) {
  if (scheme.bits >= 4) return 3.0;
  return scheme.bits == 3 ? 4.0 : 6.0;
}

/// The site that a scheme can be asked for: two groups a row at least.
std::int64_t columns_for(const QuantizerCall& quantizer) {
  const retort_quantize_scheme scheme = quantizer.scheme(seeded_shape(RETORT_PRODUCER_NORM, 256));
  expect(scheme.group_size <= 512, "group_size is " + std::to_string(scheme.group_size) + ", expected at most 512");
  return scheme.group_size > 0 && 256 % (2 * scheme.group_size) != 0 ? 2 * scheme.group_size : 256;
}

bool same(const retort_quantize_scheme& a, const retort_quantize_scheme& b) {
  return a.bits == b.bits && a.symmetric == b.symmetric && a.group_size == b.group_size;
}

/// One module of a site with what a quantizer writes for it.
struct Output {
  Output(const OwnedTensor<float>& weight, const retort_quantize_scheme& asked)
      : scheme(asked),
        rows(weight.rows()),
        columns(weight.columns()),
        width(group_width(asked, columns)),
        codes(rows, columns),
        codes_unsigned(rows, columns),
        scales(rows, columns / width),
        zero_points(rows, columns / width) {}

  void quantize(const QuantizerCall& quantizer, const SiteView& site, std::size_t module) {
    retort_quantize_output output{};
    output.struct_size = sizeof output;
    output.codes = scheme.symmetric != 0 ? codes.output() : codes_unsigned.output();
    output.scales = scales.output();
    output.zero_points = scheme.symmetric != 0 ? nullptr : zero_points.output();
    CallMetrics metrics;
    quantizer.quantize(site, module, scheme, output, metrics);
  }
  std::int64_t code(std::int64_t row, std::int64_t column) const {
    return scheme.symmetric != 0 ? std::int64_t{codes.at(row, column)} : std::int64_t{codes_unsigned.at(row, column)};
  }
  double restored(std::int64_t row, std::int64_t column) const {
    const std::int64_t zero = scheme.symmetric != 0 ? 0 : zero_points.at(row, column / width);
    return double{scales.at(row, column / width)} * static_cast<double>(code(row, column) - zero);
  }

  const retort_quantize_scheme scheme;
  const std::int64_t rows, columns, width;
  OwnedTensor<std::int8_t> codes;
  OwnedTensor<std::uint8_t> codes_unsigned;
  OwnedTensor<float> scales;
  OwnedTensor<std::int32_t> zero_points;
};

/// The least squared error over grids of the scheme whose range is 0.3 to 1.1 of the weights' own, either way round.
/// Writes the error of every weight to `error` [width].
double best_grid(const float* weights, std::int64_t width, const retort_quantize_scheme& scheme, double* error) {
  double low = 0, high = 0, least = std::numeric_limits<double>::infinity();
  for (std::int64_t i = 0; i < width; ++i) {
    low = std::min(low, double{weights[i]});
    high = std::max(high, double{weights[i]});
  }
  const double levels = std::exp2(scheme.bits) - 1;
  std::vector<double> tried(static_cast<std::size_t>(width));
  for (double share = 0.3; share < 1.11; share += 0.02)
    for (const double sign : {1.0, -1.0}) {
      if (scheme.symmetric == 0 && sign < 0) continue;
      const double range =
          scheme.symmetric != 0 ? std::max(-low, high) / std::floor(levels / 2) : (high - low) / levels;
      const double scale = range > 0 ? sign * share * range : 1;
      const double first = scheme.symmetric != 0 ? -std::ceil(levels / 2) : 0;
      const double zero = scheme.symmetric != 0 ? 0 : std::clamp(std::nearbyint(-low * share / scale), 0.0, levels);
      double sum = 0;
      for (std::int64_t i = 0; i < width; ++i) {
        const double code = std::clamp(std::nearbyint(weights[i] / scale) + zero, first, first + levels);
        tried[static_cast<std::size_t>(i)] = scale * (code - zero) - weights[i];
        sum += tried[static_cast<std::size_t>(i)] * tried[static_cast<std::size_t>(i)];
      }
      if (sum >= least) continue;
      least = sum;
      std::copy(tried.begin(), tried.end(), error);
    }
  return least;
}

double squares(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return sum;
}

/// Either in the weights or at the output, on the calibration rows: a method may trade one for the other.
void check_closeness(const Output& output, const SeededSite& site, std::size_t module) {
  const OwnedTensor<float>& weight = site.weight(module);
  for (std::int64_t row = 0; row < output.rows; ++row) {
    std::vector<double> found(static_cast<std::size_t>(output.columns)), best(found.size());
    for (std::int64_t i = 0; i < output.columns; ++i)
      found[static_cast<std::size_t>(i)] = output.restored(row, i) - weight.at(row, i);
    for (std::int64_t begin = 0; begin < output.columns; begin += output.width)
      best_grid(&weight.at(row, begin), output.width, output.scheme, best.data() + begin);
    const double factor = allowed_factor(output.scheme);
    const bool near =
        squares(found) <= factor * squares(best) || site.output_error(found) <= factor * site.output_error(best);
    expect(near, "row " + std::to_string(row) + ": the restored weights' squared error is " +
                     std::to_string(squares(found)) + ", the best grid of this scheme gives " +
                     std::to_string(squares(best)) + "; expected at most " + std::to_string(factor) +
                     " times as much, in the weights or at the output");
  }
}

/// Codes that lie at an end of the range have lost the weight's size. A weight of 0 may lie there: so does a row of
/// them.
void check_clipping(const Output& output, const OwnedTensor<float>& weight) {
  if (output.scheme.bits < 3) return;
  const std::int64_t first = output.scheme.symmetric != 0 ? -(std::int64_t{1} << (output.scheme.bits - 1)) : 0;
  const std::int64_t last = first + (std::int64_t{1} << output.scheme.bits) - 1;
  for (std::int64_t row = 0; row < output.rows; ++row) {
    std::int64_t ends = 0;
    for (std::int64_t i = 0; i < output.columns; ++i)
      ends += weight.at(row, i) != 0 && (output.code(row, i) == first || output.code(row, i) == last) ? 1 : 0;
    expect(2 * ends <= output.columns, "row " + std::to_string(row) + ": " + std::to_string(ends) + " of " +
                                           std::to_string(output.columns) + " codes lie at an end of the range");
  }
}

/// A site as the quantizer left it.
struct Quantized {
  std::unique_ptr<SeededSite> site;
  std::vector<std::unique_ptr<Output>> modules;
};

Quantized quantized(const QuantizerCall& quantizer, std::uint32_t producer) {
  Quantized made{std::make_unique<SeededSite>(producer, columns_for(quantizer)), {}};
  const std::uint64_t signals = quantizer.requirements().signals;
  const retort_quantize_scheme scheme = quantizer.scheme(made.site->shape());
  if (scheme.bits == 0) return made;
  if (quantizer.smooths()) {
    OwnedTensor<float> factors(made.site->columns());
    CallMetrics metrics;
    quantizer.smooth(made.site->view(signals), *factors.output(), metrics);
    made.site->smooth(factors);
  }
  const SiteView view = made.site->view(signals);
  for (std::size_t i = 0; i < view.modules.size(); ++i) {
    made.modules.push_back(std::make_unique<Output>(made.site->weight(i), scheme));
    made.modules.back()->quantize(quantizer, view, i);
  }
  return made;
}

void check_repeatable(const Quantized& first, const Quantized& second) {
  for (std::size_t m = 0; m < first.modules.size(); ++m) {
    const Output &a = *first.modules[m], &b = *second.modules[m];
    for (std::int64_t row = 0; row < a.rows; ++row)
      for (std::int64_t i = 0; i < a.columns; ++i)
        expect(
            a.code(row, i) == b.code(row, i) && a.restored(row, i) == b.restored(row, i),
            "the same weight gave two different codes at row " + std::to_string(row) + ", column " + std::to_string(i));
  }
}

void check_scheme(const QuantizerCall& quantizer) {
  const std::int64_t columns = columns_for(quantizer);
  for (const std::uint32_t producer : producers) {
    const SiteView site = seeded_shape(producer, columns);
    expect(same(quantizer.scheme(site), quantizer.scheme(site)), "two schemes for " + site.name);
  }
}

}  // namespace

void check_quantizer(CheckLog& log, const Subject& subject) {
  const QuantizerCall quantizer(subject.id, subject.instance, subject.functions<retort_quantizer_v1>());
  if (!log.run(subject.id, "requirements are usable", [&] { quantizer.requirements(); })) return;
  if (!log.run(subject.id, "the same site gets the same scheme", [&] { check_scheme(quantizer); })) return;
  std::vector<Quantized> sites;
  const bool ranges = log.run(subject.id, "codes, scales, zero points and smoothing are in range", [&] {
    for (const std::uint32_t producer : producers) sites.push_back(quantized(quantizer, producer));
  });
  if (!ranges) return;
  log.run(subject.id, "dequantised weight is near the weight", [&] {
    std::size_t compared = 0;
    for (const Quantized& made : sites)
      for (std::size_t m = 0; m < made.modules.size(); ++m, ++compared) {
        check_closeness(*made.modules[m], *made.site, m);
        check_clipping(*made.modules[m], made.site->weight(m));
      }
    if (compared == 0) throw CheckSkipped{"by default it leaves every site in floating point"};
  });
  log.run(subject.id, "same input gives the same codes", [&] {
    for (std::size_t i = 0; i < sites.size(); ++i) check_repeatable(sites[i], quantized(quantizer, producers[i]));
  });
}

}  // namespace retort::host
