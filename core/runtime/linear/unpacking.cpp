// See unpacking.h.
#include "runtime/linear/unpacking.h"

#include <algorithm>
#include <array>
#include <bit>

#include "runtime/kernels/multiversion.h"

namespace retort::runtime {
namespace {

constexpr std::int64_t kCodes = 8;  // of a word
using Words = std::array<std::uint32_t, kPanelColumns>;
using Line = std::array<float, kPanelColumns>;
using Offsets = std::array<std::int32_t, kPanelColumns>;

// `count` words of one group.
RETORT_MULTIVERSION
void unpack_group(const Line& scales, const Offsets& offsets, const Words* words, std::int64_t count, Line* target) {
  for (std::int64_t i = 0; i < count; ++i) {
    for (unsigned k = 0; k < kCodes; ++k, ++target) {
      for (std::size_t column = 0; column < kPanelColumns; ++column) {
        const std::uint32_t code = (words[i][column] >> (4 * k)) & 15U;
        (*target)[column] = static_cast<float>(static_cast<std::int32_t>(code) - offsets[column]) * scales[column];
      }
    }
  }
}

// `count` words, whose second value is not wanted of the last one if `odd`.
RETORT_MULTIVERSION
void unpack_halves(const Words* words, std::int64_t count, bool odd, Line* target) {
  for (std::int64_t i = 0; i < count; ++i, target += 2) {
    for (std::size_t column = 0; column < kPanelColumns; ++column)
      target[0][column] = std::bit_cast<float>(words[i][column] << 16U);
    if (odd && i == count - 1) return;
    for (std::size_t column = 0; column < kPanelColumns; ++column)
      target[1][column] = std::bit_cast<float>(words[i][column] & 0xFFFF0000U);
  }
}

}  // namespace

void unpack_int4(const Int4Panels& panels, std::int64_t first, std::int64_t last, std::int64_t in,
                 std::int64_t stride_words, float* target) {
  for (std::int64_t panel = first; panel < last; ++panel, target += stride_words * kPanelColumns) {
    const std::byte* group = panels.data + panel * panels.panel_bytes();
    const std::int8_t* zeros = panels.zeros == nullptr ? nullptr : panels.zeros + panel * panels.groups * kPanelColumns;
    auto* lines = reinterpret_cast<Line*>(target);
    for (std::int64_t k = 0; k < in; k += panels.group_size, group += panels.group_bytes()) {
      Line scales;
      for (std::int64_t column = 0; column < kPanelColumns; ++column)
        scales[static_cast<std::size_t>(column)] = scale_of(group + panels.word_bytes(), panels.scale_type, column);
      Offsets offsets;
      for (std::int64_t column = 0; column < kPanelColumns; ++column)
        offsets[static_cast<std::size_t>(column)] =
            8 + (zeros == nullptr ? 0 : zeros[k / panels.group_size * kPanelColumns + column]);
      const std::int64_t words = (std::min(panels.group_size, in - k) + kCodes - 1) / kCodes;
      unpack_group(scales, offsets, reinterpret_cast<const Words*>(group), words, lines + k);
    }
    std::fill(lines + in, lines + stride_words, Line{});
  }
}

void unpack_bf16(const Bf16Panels& panels, std::int64_t panel, std::int64_t stride_words, float* target) {
  const std::int64_t words = (panels.in + 1) / 2;
  auto* lines = reinterpret_cast<Line*>(target);
  unpack_halves(reinterpret_cast<const Words*>(panels.data + panel * panels.panel_bytes()), words, panels.in % 2 == 1,
                lines);
  std::fill(lines + panels.in, lines + stride_words, Line{});
}

}  // namespace retort::runtime
