// See zero_points.h.
#include "runtime/linear/zero_points.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "runtime/kernels/multiversion.h"

namespace retort::runtime {
namespace {

constexpr std::int64_t kRows = 8;  // that share the scales once they are floats
using Line = std::array<float, kPanelColumns>;

/// float_of_half for finite numbers, without branches: the exponent of an f16 is 112 too small.
[[gnu::always_inline]] inline float finite_half(std::uint16_t half) {
  const std::uint32_t sign = (std::uint32_t{half} & 0x8000U) << 16U, rest = (std::uint32_t{half} & 0x7FFFU) << 13U;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(std::bit_cast<float>(rest) * 0x1p112f) | sign);
}

/// The products of one group's scales and zero points, each rounded once.
[[gnu::always_inline]] inline void read_terms(const std::byte* scales, ScaleType type, const std::int8_t* zeros,
                                              Line& terms) {
  if (type == ScaleType::f32) {
    std::memcpy(terms.data(), scales, sizeof(terms));
  } else {
    std::array<std::uint16_t, kPanelColumns> halves;
    std::memcpy(halves.data(), scales, sizeof(halves));
    if (type == ScaleType::f16)
      for (std::size_t i = 0; i < terms.size(); ++i) terms[i] = finite_half(halves[i]);
    else
      for (std::size_t i = 0; i < terms.size(); ++i) terms[i] = std::bit_cast<float>(std::uint32_t{halves[i]} << 16U);
  }
  for (std::size_t i = 0; i < terms.size(); ++i) terms[i] *= static_cast<float>(zeros[i]);
}

/// One panel: where its first scales and zero points stand, and from one group's to the next.
struct Panel {
  const std::byte* scales;
  std::int64_t group_bytes;
  ScaleType type;
  const std::int8_t* zeros;
  std::int64_t groups;
};

// totals[row] = Σ over groups of scale · zero · the row's sum; `sums` are those of the first of up to kRows rows.
RETORT_MULTIVERSION
void add_groups(const Panel& panel, const std::int32_t* sums, std::int64_t rows, Line* totals) {
  for (std::int64_t group = 0; group < panel.groups; ++group) {
    Line terms;
    read_terms(panel.scales + group * panel.group_bytes, panel.type, panel.zeros + group * kPanelColumns, terms);
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int32_t* planes = sums + 2 * row * panel.groups + group;
      const auto sum = static_cast<float>(128 * planes[0] + planes[panel.groups]);
      for (std::size_t i = 0; i < terms.size(); ++i) totals[row][i] += terms[i] * sum;
    }
  }
}

RETORT_MULTIVERSION
void subtract(const Line& total, std::int64_t count, float* out) {
  for (std::int64_t i = 0; i < count; ++i) out[i] -= total[static_cast<std::size_t>(i)];
}

}  // namespace

void subtract_zero_points(const Int4Panels& weights, const PanelSpan& span, std::int64_t rows, const std::int32_t* sums,
                          float* out) {
  for (std::int64_t panel = span.first; panel < span.last; ++panel) {
    const std::int64_t columns = std::min(kPanelColumns, weights.out - panel * kPanelColumns);
    const Panel source{weights.data + panel * weights.panel_bytes() + weights.word_bytes(), weights.group_bytes(),
                       weights.scale_type, weights.zeros + panel * weights.groups * kPanelColumns, weights.groups};
    for (std::int64_t first = 0; first < rows; first += kRows) {
      const std::int64_t count = std::min(kRows, rows - first);
      std::array<Line, kRows> totals{};
      add_groups(source, sums + 2 * first * weights.groups, count, totals.data());
      for (std::int64_t row = 0; row < count; ++row)
        subtract(totals[static_cast<std::size_t>(row)], columns,
                 out + (first + row) * weights.out + panel * kPanelColumns);
    }
  }
}

void ref_subtract_zero_points(const Int4Panels& weights, const PanelSpan& span, std::int64_t rows,
                              const std::int32_t* sums, float* out) {
  const std::int64_t end = std::min(span.last * kPanelColumns, weights.out);
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t n = span.first * kPanelColumns; n < end; ++n) {
      const std::int64_t panel = n / kPanelColumns, column = n % kPanelColumns;
      double total = 0;
      for (std::int64_t group = 0; group < weights.groups; ++group) {
        const std::byte* scales =
            weights.data + panel * weights.panel_bytes() + group * weights.group_bytes() + weights.word_bytes();
        const double zero = weights.zeros[(panel * weights.groups + group) * kPanelColumns + column];
        const std::int32_t* planes = sums + 2 * row * weights.groups + group;
        total += scale_of(scales, weights.scale_type, column) * zero * (128.0 * planes[0] + planes[weights.groups]);
      }
      out[row * weights.out + n] -= static_cast<float>(total);
    }
  }
}

}  // namespace retort::runtime
