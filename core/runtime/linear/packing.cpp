// See packing.h.
#include "runtime/linear/packing.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstring>

#include "runtime/kernels/multiversion.h"
#include "runtime/kernels/parallel.h"

namespace retort::runtime {
namespace {

constexpr std::int64_t kWord = 4;
using PanelRows = std::array<const std::byte*, kPanelColumns>;

// target[word · 64 + column] = rows[column][word]. Sixteen words of every row at a time: one cache line of each.
RETORT_MULTIVERSION
void transpose_words(const std::byte* const* rows, std::int64_t words, std::byte* target) {
  for (std::int64_t first = 0; first < words; first += 16) {
    const std::int64_t last = std::min<std::int64_t>(first + 16, words);
    for (std::int64_t word = first; word < last; ++word) {
      std::array<std::uint32_t, kPanelColumns> line;
      for (std::int64_t column = 0; column < kPanelColumns; ++column)
        std::memcpy(&line[static_cast<std::size_t>(column)], rows[column] + word * kWord, kWord);
      std::memcpy(target + word * kPanelColumns * kWord, line.data(), sizeof(line));
    }
  }
}

// Whether all exponents of `words` words of f32, or pairs of bf16, are those of finite numbers.
RETORT_MULTIVERSION
bool finite_words(const std::byte* data, std::int64_t words, bool halves) {
  std::uint32_t bad = 0;
  for (std::int64_t i = 0; i < words; ++i) {
    std::uint32_t word = 0;
    std::memcpy(&word, data + i * kWord, kWord);
    const std::uint32_t high = word & 0x7F800000U, low = (word << 16U) & 0x7F800000U;
    bad |= static_cast<std::uint32_t>(high == 0x7F800000U) | static_cast<std::uint32_t>(halves && low == 0x7F800000U);
  }
  return bad == 0;
}

/// The rows of one panel, in words, with zeros where there is no row and behind a row's last value.
class PanelReader {
 public:
  PanelReader(const LinearWeights& weights, WeightForm form)
      : weights_(weights),
        form_(form),
        words_((weights.in + values_per_word(form) - 1) / values_per_word(form)),
        zeros_(static_cast<std::size_t>(words_ * kWord)) {}

  std::int64_t words() const { return words_; }

  /// `scratch` holds rows that do not stand in the file as they are needed.
  PanelRows rows(std::int64_t panel, std::vector<std::byte>& scratch) const {
    PanelRows rows;
    rows.fill(zeros_.data());
    scratch.resize(static_cast<std::size_t>(kPanelColumns * words_ * kWord));
    std::int64_t before = 0;
    for (const model::LinearWeight& part : weights_.parts) {
      const std::int64_t first = std::max(panel * kPanelColumns, before);
      const std::int64_t last = std::min((panel + 1) * kPanelColumns, before + part.shape[0]);
      for (std::int64_t n = first; n < last; ++n) {
        const std::int64_t column = n % kPanelColumns;
        rows[static_cast<std::size_t>(column)] = row(part, n - before, scratch.data() + column * words_ * kWord);
      }
      before += part.shape[0];
    }
    return rows;
  }

 private:
  const std::byte* row(const model::LinearWeight& part, std::int64_t index, std::byte* copy) const {
    const bool as_stored = form_ != WeightForm::f32 || (!part.quantized() && part.weight->type == model::DataType::f32);
    if (!as_stored) {
      read_row(part, index, reinterpret_cast<float*>(copy));
      return copy;
    }
    const std::int64_t bytes =
        form_ == WeightForm::int4 ? words_ * kWord : weights_.in * kWord / values_per_word(form_);
    const std::byte* stored = part.weight->data + index * bytes;
    if (bytes == words_ * kWord) return stored;
    std::memset(copy + (words_ - 1) * kWord, 0, kWord);
    std::memcpy(copy, stored, static_cast<std::size_t>(bytes));
    return copy;
  }

  const LinearWeights& weights_;
  WeightForm form_;
  std::int64_t words_;
  std::vector<std::byte> zeros_;
};

/// body(panel, rows of the panel) for all panels, in parallel.
template <class Body>
void for_each_panel(const LinearWeights& weights, const PanelReader& reader, const Body& body) {
  std::vector<std::vector<std::byte>> scratch(static_cast<std::size_t>(omp_get_max_threads()));
  parallel_for(panels_of(weights.out), weights.in * weights.out, [&](std::int64_t panel, std::int64_t thread) {
    body(panel, reader.rows(panel, scratch[static_cast<std::size_t>(thread)]));
  });
}

void pack_scales(const LinearWeights& weights, const Int4Panels& panels, std::byte* target) {
  std::int64_t before = 0;
  for (const model::LinearWeight& part : weights.parts) {
    const std::int64_t in = part.shape[1], width = part.group_size > 0 ? std::min(part.group_size, in) : in;
    const std::int64_t stored_groups = (in + width - 1) / width;
    for (std::int64_t row = 0; row < part.shape[0]; ++row) {
      const std::int64_t n = before + row;
      std::byte* column = target + n / kPanelColumns * panels.panel_bytes();
      for (std::int64_t group = 0; group < panels.groups; ++group) {
        const std::int64_t index = row * stored_groups + group * panels.group_size / width;
        std::byte* scales = column + group * panels.group_bytes() + panels.word_bytes();
        if (panels.scale_type == ScaleType::f32) {
          const float value = element(*part.scale, index);
          std::memcpy(scales + n % kPanelColumns * 4, &value, 4);
        } else {
          std::memcpy(scales + n % kPanelColumns * 2, part.scale->data + index * 2, 2);
        }
      }
    }
    before += part.shape[0];
  }
}

}  // namespace

std::int64_t values_per_word(WeightForm form) {
  switch (form) {
    case WeightForm::f32:
      return 1;
    case WeightForm::bf16:
      return 2;
    case WeightForm::int8:
      return 4;
    case WeightForm::int4:
      return 8;
  }
  return 1;
}

std::int64_t panels_of(std::int64_t out) {
  return (out + kPanelColumns - 1) / kPanelColumns;
}

void pack_floats(const LinearWeights& weights, WeightForm form, std::int64_t stride_words, std::byte* target) {
  const PanelReader reader(weights, form);
  std::atomic<bool> finite = true;
  for_each_panel(weights, reader, [&](std::int64_t panel, const PanelRows& rows) {
    for (const std::byte* row : rows)
      if (!finite_words(row, reader.words(), form == WeightForm::bf16)) finite = false;
    transpose_words(rows.data(), reader.words(), target + panel * stride_words * kPanelColumns * kWord);
  });
  if (!finite) require_finite(weights);
}

void pack_int8(const LinearWeights& weights, std::int64_t stride_words, std::byte* target, std::int32_t* sums) {
  const PanelReader reader(weights, WeightForm::int8);
  for_each_panel(weights, reader, [&](std::int64_t panel, const PanelRows& rows) {
    transpose_words(rows.data(), reader.words(), target + panel * stride_words * kPanelColumns * kWord);
    for (std::int64_t column = 0; column < kPanelColumns; ++column) {
      const auto* codes = reinterpret_cast<const std::int8_t*>(rows[static_cast<std::size_t>(column)]);
      std::int32_t sum = 0;
      for (std::int64_t i = 0; i < reader.words() * kWord; ++i) sum += codes[i];
      sums[panel * kPanelColumns + column] = sum;
    }
  });
}

void pack_int4(const LinearWeights& weights, const Int4Panels& panels, std::byte* target) {
  const PanelReader reader(weights, WeightForm::int4);
  const std::int64_t group_words = panels.group_size / 8;
  for_each_panel(weights, reader, [&](std::int64_t panel, PanelRows rows) {
    std::byte* group = target + panel * panels.panel_bytes();
    for (std::int64_t word = 0; word < reader.words(); word += group_words, group += panels.group_bytes()) {
      transpose_words(rows.data(), std::min(group_words, reader.words() - word), group);
      for (const std::byte*& row : rows) row += group_words * kWord;
    }
  });
  pack_scales(weights, panels, target);
}

bool has_zero_points(const LinearWeights& weights) {
  return std::any_of(weights.parts.begin(), weights.parts.end(),
                     [](const model::LinearWeight& part) { return part.zero_point != nullptr; });
}

std::vector<std::int8_t> panel_zero_points(const LinearWeights& weights, const Int4Panels& panels) {
  std::vector<std::int8_t> zeros(static_cast<std::size_t>(panels.panels() * panels.groups * kPanelColumns));
  std::int64_t before = 0;
  for (const model::LinearWeight& part : weights.parts) {
    const std::int64_t in = part.shape[1], width = part.group_size > 0 ? std::min(part.group_size, in) : in;
    for (std::int64_t row = 0; row < part.shape[0]; ++row) {
      const std::int64_t panel = (before + row) / kPanelColumns, column = (before + row) % kPanelColumns;
      for (std::int64_t group = 0; group < panels.groups; ++group)
        zeros[static_cast<std::size_t>((panel * panels.groups + group) * kPanelColumns + column)] =
            static_cast<std::int8_t>(model::zero_point(part, row, group * panels.group_size / width));
    }
    before += part.shape[0];
  }
  return zeros;
}

std::vector<float> row_scales(const LinearWeights& weights) {
  std::vector<float> scales;
  for (const model::LinearWeight& part : weights.parts) {
    const std::vector<float> values = finite_f32(*part.scale, weights.folder);
    scales.insert(scales.end(), values.begin(), values.end());
  }
  scales.resize(static_cast<std::size_t>(panels_of(weights.out) * kPanelColumns));
  return scales;
}

ScaleType scale_type(const LinearWeights& weights) {
  const model::DataType first = weights.parts.front().scale->type;
  for (const model::LinearWeight& part : weights.parts)
    if (part.scale->type != first) return ScaleType::f32;
  if (first == model::DataType::f16) return ScaleType::f16;
  return first == model::DataType::bf16 ? ScaleType::bf16 : ScaleType::f32;
}

}  // namespace retort::runtime
