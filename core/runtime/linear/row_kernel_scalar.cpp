// Row kernels of row_kernel.h in plain loops: the reference that the others are tested against, and what runs on
// processors without AVX2.
#include <cstring>

#include "runtime/linear/row_kernel.h"

namespace retort::runtime {
namespace {

/// Byte `position` of the 32-bit words [word][64] of one column.
std::int64_t byte_of(std::int64_t position, std::int64_t column) {
  return (position / 4 * kPanelColumns + column) * 4 + position % 4;
}

/// Where code k of a group stands among a row's codes: within eight, the even ones first.
std::int64_t place_of(std::int64_t k) {
  return k / 8 * 8 + k % 2 * 4 + k % 8 / 2;
}

}  // namespace

float float_of_half(std::uint16_t bits, ScaleType type) {
  float value = 0;
  std::uint32_t wide = static_cast<std::uint32_t>(bits) << 16;
  if (type == ScaleType::f16) {
    const std::uint32_t sign = wide & 0x80000000u, rest = (bits & 0x7FFFu);
    // An f16 is an f32 whose exponent is 112 too small; subnormal ones are multiples of 2⁻²⁴.
    if (rest < 0x0400u) {
      value = static_cast<float>(rest) * 0x1p-24f;
      return sign != 0 ? -value : value;
    }
    wide = sign | ((rest << 13) + ((rest < 0x7C00u ? 112u : 224u) << 23));  // infinity and NaN: 255
  }
  std::memcpy(&value, &wide, sizeof(value));
  return value;
}

float scale_of(const std::byte* scales, ScaleType type, std::int64_t column) {
  if (type == ScaleType::f32) {
    float value = 0;
    std::memcpy(&value, scales + 4 * column, sizeof(value));
    return value;
  }
  std::uint16_t half = 0;
  std::memcpy(&half, scales + 2 * column, sizeof(half));
  return float_of_half(half, type);
}

void int8_rows_scalar(const Int8Panels& weights, const PanelSpan& span, std::int64_t rows, const Int8Rows& in,
                      float* out) {
  const std::int64_t end = span.last * kPanelColumns < weights.out ? span.last * kPanelColumns : weights.out;
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t n = span.first * kPanelColumns; n < end; ++n) {
      const std::int8_t* panel = weights.codes + n / kPanelColumns * weights.stride_words * kPanelColumns * 4;
      const auto sum = [&](std::int64_t plane) {
        std::int32_t total = 0;
        for (std::int64_t k = 0; k < weights.words * 4; ++k)
          total += in.codes[plane * in.stride + k] * panel[byte_of(k, n % kPanelColumns)];
        return static_cast<float>(total) * weights.scales[n];
      };
      out[row * weights.out + n] = in.wide ? 128.0f * sum(2 * row) + sum(2 * row + 1) : sum(row);
    }
  }
}

void int4_rows_scalar(const Int4Panels& weights, const PanelSpan& span, std::int64_t rows, const Int4Rows& in,
                      float* out) {
  const std::int64_t end = span.last * kPanelColumns < weights.out ? span.last * kPanelColumns : weights.out;
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t n = span.first * kPanelColumns; n < end; ++n) {
      const std::int64_t column = n % kPanelColumns;
      float total = 0;
      for (std::int64_t group = 0; group < weights.groups; ++group) {
        const std::byte* words =
            weights.data + n / kPanelColumns * weights.panel_bytes() + group * weights.group_bytes();
        const std::byte* scales = words + weights.word_bytes();
        std::int32_t high = 0, low = 0;
        for (std::int64_t k = 0; k < weights.group_size; ++k) {
          const auto byte = static_cast<std::int32_t>(words[byte_of(k / 2, column)]);
          const std::int32_t code = (k % 2 == 0 ? byte & 15 : byte >> 4) - 8;
          const std::int64_t at = (2 * row * weights.groups + group) * weights.group_size + place_of(k);
          high += code * in.codes[at];
          low += code * in.codes[at + weights.groups * weights.group_size];
        }
        total += (128.0f * static_cast<float>(high) + static_cast<float>(low)) *
                 scale_of(scales, weights.scale_type, column);
      }
      out[row * weights.out + n] = total;
    }
  }
}

}  // namespace retort::runtime
