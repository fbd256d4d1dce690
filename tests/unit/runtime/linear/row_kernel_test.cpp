// Every row kernel that this processor can run, called by itself, against integers and doubles.
#include "runtime/linear/row_kernel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <oneapi/dnnl/dnnl.hpp>
#include <tuple>

#include "random_linear.h"
#include "random_model.h"
#include "runtime/kernels/aligned_buffer.h"
#include "runtime/kernels/reference_kernels.h"
#include "runtime/kernels/vector_kernels.h"
#include "runtime/linear/linear.h"
#include "runtime/linear/packing.h"

namespace retort::runtime {
namespace {

using model::DataType;

struct RowShape {
  std::int64_t rows, in, out;
};

/// The kernels of the table that run here; at least the plain loops.
std::vector<const RowKernels*> runnable() {
  std::vector<const RowKernels*> kernels;
  const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  for (const RowKernels& entry : row_kernels())
    if (can_run(entry, isa)) kernels.push_back(&entry);
  return kernels;
}

/// The joined codes of `rows` rows of one plane or of two, if `kernels` reads such; plane after plane in `codes`.
std::vector<std::int16_t> joined(const RowKernels& kernels, std::int64_t rows, const std::int8_t* codes,
                                 std::int64_t plane, bool wide, std::int64_t count) {
  std::vector<std::int16_t> all(static_cast<std::size_t>(rows * count) + 1, -1);
  if (kernels.join == nullptr) return all;
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int8_t* high = codes + row * (wide ? 2 : 1) * plane;
    kernels.join(high, wide ? high + plane : nullptr, count, all.data() + row * count);
  }
  EXPECT_EQ(all.back(), -1) << kernels.name << " writes past the end";
  return all;
}

/// An int8 layer of random codes as row kernels read it.
struct PackedInt8 {
  PackedInt8(std::int64_t in, std::int64_t out, std::mt19937& random)
      : linear(WeightForm::int8, in, out, random),
        words((in + 3) / 4),
        packed(panels_of(out) * kPanelColumns * words * 4),
        sums(static_cast<std::size_t>(panels_of(out) * kPanelColumns)),
        scales(row_scales(linear.weights())) {
    pack_int8(linear.weights(), words, packed.data(), sums.data());
    panels = {reinterpret_cast<const std::int8_t*>(packed.data()), sums.data(), scales.data(), out, words, words};
  }

  testing::RandomLinear linear;
  std::int64_t words;
  AlignedBuffer<std::byte> packed;
  std::vector<std::int32_t> sums;
  std::vector<float> scales;
  Int8Panels panels;
};

std::int8_t random_code(std::mt19937& random) {
  return static_cast<std::int8_t>(static_cast<int>(random() % 255) - 127);
}

TEST(RowKernels, AreOrderedFastestFirstAndEndWithOneForEveryProcessor) {
  EXPECT_EQ(row_kernels().back().instruction_set, 0u);
  EXPECT_STREQ(row_kernels_for(0).name, "scalar");
  EXPECT_STREQ(row_kernels_for(dnnl_cpu_isa_sse41).name, "scalar");
#if defined(__x86_64__)
  EXPECT_STREQ(row_kernels_for(dnnl_cpu_isa_avx2).name, "avx2");
  EXPECT_STREQ(row_kernels_for(dnnl_cpu_isa_avx512_core).name, "avx2");
  const char* const vnni = __builtin_cpu_is("znver5") != 0                                         ? "avx512_vnni_ahead"
                           : __builtin_cpu_is("intel") != 0 && __builtin_cpu_supports("gfni") != 0 ? "avx512_vnni_next"
                                                                                                   : "avx512_vnni";
  EXPECT_STREQ(row_kernels_for(dnnl_cpu_isa_avx512_core_bf16).name, vnni);
#endif
}

class RowKernelSizes : public ::testing::TestWithParam<std::tuple<std::int64_t, std::int64_t, std::int64_t>> {
 protected:
  RowShape sizes() const { return {std::get<0>(GetParam()), std::get<1>(GetParam()), std::get<2>(GetParam())}; }
  std::mt19937 random_{7};
};

TEST_P(RowKernelSizes, Int8EqualsIntegerSums) {
  const auto [rows, in, out] = sizes();
  const PackedInt8 layer(in, out, random_);
  const Int8Panels& panels = layer.panels;
  const std::int64_t words = layer.words;
  std::vector<std::int8_t> x(static_cast<std::size_t>(rows * Activation::code_bytes(in)), 99);
  for (std::int64_t i = 0; i < rows * in; ++i) x[static_cast<std::size_t>(i)] = random_code(random_);
  for (const RowKernels* kernels : runnable()) {
    std::vector<float> y(static_cast<std::size_t>(rows * out) + 1, NAN);
    const std::vector<std::int16_t> narrow = joined(*kernels, rows, x.data(), in, false, 4 * words);
    kernels->int8(panels, {0, panels_of(out)}, rows, {x.data(), in, false, narrow.data()}, y.data());
    EXPECT_TRUE(std::isnan(y.back())) << kernels->name << " writes past the end";
    for (std::int64_t row = 0; row < rows; ++row) {
      const Row expected = ref_linear_int8({x.begin() + row * in, x.begin() + (row + 1) * in}, layer.linear.codes(),
                                           layer.linear.scales());
      for (std::int64_t n = 0; n < out; ++n)
        ASSERT_EQ(y[static_cast<std::size_t>(row * out + n)], expected[static_cast<std::size_t>(n)])
            << kernels->name << " row " << row << " column " << n;
    }
    // The same numbers as planes: rows 0 and 1 are the halves of one row's codes.
    const std::int64_t pairs = rows / 2;
    std::vector<float> wide(static_cast<std::size_t>(pairs * out) + 1, NAN);
    const std::vector<std::int16_t> both = joined(*kernels, pairs, x.data(), in, true, 4 * words);
    kernels->int8(panels, {0, panels_of(out)}, pairs, {x.data(), in, true, both.data()}, wide.data());
    EXPECT_TRUE(std::isnan(wide.back())) << kernels->name << " writes past the end";
    for (std::int64_t i = 0; i < pairs * out; ++i) {
      const std::int64_t high = i / out * 2 * out + i % out;
      const float joined = 128.0f * y[static_cast<std::size_t>(high)] + y[static_cast<std::size_t>(high + out)];
      // Products are scaled before they are joined here, and after it there.
      ASSERT_NEAR(wide[static_cast<std::size_t>(i)], joined, 1e-6f * 128.0f * 323.0f * static_cast<float>(in))
          << kernels->name << " value " << i;
    }
  }
}

TEST_P(RowKernelSizes, Int4EqualsTheReferenceInEveryGroupSizeAndScaleType) {
  const auto [rows, in, out] = sizes();
  for (const std::int64_t group : {std::int64_t{32}, std::int64_t{64}, std::int64_t{128}, std::int64_t{0}}) {
    for (const DataType type : {DataType::f32, DataType::f16, DataType::bf16}) {
      const testing::RandomLinear linear(in, out, group, type, random_);
      const LinearWeights weights = linear.weights();
      Int4Panels panels{nullptr, out, (in + weights.group_size - 1) / weights.group_size, weights.group_size,
                        scale_type(weights)};
      AlignedBuffer<std::byte> packed(panels.panel_bytes() * panels.panels());
      pack_int4(weights, panels, packed.data());
      panels.data = packed.data();

      const std::int64_t stride = panels.groups * panels.group_size;
      const std::vector<float> x = testing::random_values(rows * in, random_);
      std::vector<std::int8_t> codes(static_cast<std::size_t>(2 * rows * stride), 99);
      std::vector<std::int32_t> sums(static_cast<std::size_t>(2 * rows * panels.groups));
      std::vector<float> row_scales;
      for (std::int64_t row = 0; row < rows; ++row) {
        std::int8_t* high = codes.data() + 2 * row * stride;
        std::int32_t* high_sums = sums.data() + 2 * row * panels.groups;
        row_scales.push_back(quantize_groups_wide(x.data() + row * in, in, panels.group_size,
                                                  max_abs(x.data() + row * in, in), high, high + stride, high_sums,
                                                  high_sums + panels.groups));
      }
      for (const RowKernels* kernels : runnable()) {
        std::vector<float> y(static_cast<std::size_t>(rows * out) + 1, NAN);
        const std::vector<std::int16_t> both = joined(*kernels, rows, codes.data(), stride, true, stride);
        kernels->int4(panels, {0, panels.panels()}, rows, {codes.data(), sums.data(), both.data()}, y.data());
        EXPECT_TRUE(std::isnan(y.back())) << kernels->name << " writes past the end";
        for (std::int64_t row = 0; row < rows; ++row) {
          // A scale for the whole row serves every packed group.
          std::vector<float> stored = linear.scales();
          if (group == 0) {
            stored.clear();
            for (const float scale : linear.scales()) stored.insert(stored.end(), panels.groups, scale);
          }
          const auto [wide, scale] = testing::wide_codes({x.begin() + row * in, x.begin() + (row + 1) * in});
          EXPECT_EQ(scale, row_scales[static_cast<std::size_t>(row)]);
          const Row expected = ref_linear_wide(wide, linear.codes(), stored, panels.group_size);
          // Sums within a group are exact; groups of order 127 · 8 · sqrt(128) · 0.02 · 0.03 are added in f32.
          for (std::int64_t n = 0; n < out; ++n)
            ASSERT_NEAR(y[static_cast<std::size_t>(row * out + n)] * scale,
                        expected[static_cast<std::size_t>(n)] * scale, 1e-6f * static_cast<float>(panels.groups + 4))
                << kernels->name << " group " << group << " row " << row << " column " << n;
        }
      }
    }
  }
}

// "Bf16" in the name: run again on other instruction sets (CMakeLists.txt).
TEST_P(RowKernelSizes, Bf16EqualsSumsInDouble) {
  const auto [rows, in, out] = sizes();
  const testing::RandomLinear linear(WeightForm::bf16, in, out, random_);
  const LinearWeights weights = linear.weights();
  const std::int64_t words = (in + 1) / 2;
  AlignedBuffer<std::byte> packed(panels_of(out) * words * kPanelColumns * 4);
  pack_floats(weights, WeightForm::bf16, words, packed.data());
  const std::vector<float> stored = dequantized(weights);
  // One value more than there are, which must not be read as one.
  std::vector<float> x = testing::random_values(rows * in, random_);
  x.push_back(NAN);
  for (const RowKernels* kernels : runnable()) {
    if (kernels->bf16 == nullptr) continue;
    std::vector<float> y(static_cast<std::size_t>(rows * out) + 1, NAN), alone(static_cast<std::size_t>(out));
    const Bf16Panels panels{packed.data(), out, in, words};
    kernels->bf16(panels, {0, panels_of(out)}, rows, x.data(), y.data());
    EXPECT_TRUE(std::isnan(y.back())) << kernels->name << " writes past the end";
    for (std::int64_t row = 0; row < rows; ++row) {
      kernels->bf16(panels, {0, panels_of(out)}, 1, x.data() + row * in, alone.data());
      for (std::int64_t n = 0; n < out; ++n) {
        double expected = 0;
        for (std::int64_t k = 0; k < in; ++k)
          expected += static_cast<double>(x[static_cast<std::size_t>(row * in + k)]) *
                      static_cast<double>(stored[static_cast<std::size_t>(n * in + k)]);
        const float found = y[static_cast<std::size_t>(row * out + n)];
        ASSERT_NEAR(found, expected, 1e-6 * std::sqrt(static_cast<double>(in)))
            << kernels->name << " row " << row << " column " << n;
        ASSERT_EQ(found, alone[static_cast<std::size_t>(n)]) << "row " << row << " alone, column " << n;
      }
    }
  }
}

TEST_P(RowKernelSizes, ManyRowsOfCodesGiveTheBitsOfOne) {
  const auto [rows, in, out] = sizes();
  const PackedInt8 layer(in, out, random_);
  const Int8Panels& panels = layer.panels;
  const std::int64_t words = layer.words;
  std::vector<std::int8_t> x(static_cast<std::size_t>(rows * Activation::code_bytes(in)), 99);
  for (std::int8_t& code : x) code = random_code(random_);
  for (const RowKernels* kernels : runnable()) {
    std::vector<float> y(static_cast<std::size_t>(rows * out)), alone(static_cast<std::size_t>(out));
    const std::vector<std::int16_t> both = joined(*kernels, rows, x.data(), in, true, 4 * words);
    kernels->int8(panels, {0, panels_of(out)}, rows, {x.data(), in, true, both.data()}, y.data());
    for (std::int64_t row = 0; row < rows; ++row) {
      kernels->int8(panels, {0, panels_of(out)}, 1, {x.data() + row * 2 * in, in, true, both.data() + row * 4 * words},
                    alone.data());
      for (std::int64_t n = 0; n < out; ++n)
        ASSERT_EQ(y[static_cast<std::size_t>(row * out + n)], alone[static_cast<std::size_t>(n)])
            << kernels->name << " row " << row << " column " << n;
    }
  }
}

// Layers that come from memory meet many rows block by block: whole blocks and a part of one, any number of planes.
TEST(RowKernels, RowsOfALargeInt8LayerAreTheSameBesideOthers) {
  constexpr std::int64_t kIn = 1029, kOut = 709, kMost = 35;
  std::mt19937 random(13);
  const PackedInt8 layer(kIn, kOut, random);
  ASSERT_FALSE(layer.panels.stay_cached());
  std::vector<std::int8_t> x(static_cast<std::size_t>(kMost * Activation::code_bytes(kIn)), 99);
  for (std::int8_t& code : x) code = random_code(random);
  for (const RowKernels* kernels : runnable()) {
    for (const bool wide : {false, true}) {
      const std::int64_t planes = wide ? 2 : 1, count = 4 * layer.words;
      const std::vector<std::int16_t> both = joined(*kernels, kMost, x.data(), kIn, wide, count);
      const auto product = [&](std::int64_t row, std::int64_t rows) {
        std::vector<float> y(static_cast<std::size_t>(rows * kOut) + 1, NAN);
        kernels->int8(layer.panels, {0, panels_of(kOut)}, rows,
                      {x.data() + row * planes * kIn, kIn, wide, both.data() + row * count}, y.data());
        EXPECT_TRUE(std::isnan(y.back())) << kernels->name << " writes past the end";
        y.pop_back();
        return y;
      };
      std::vector<float> alone;
      for (std::int64_t row = 0; row < kMost; ++row) {
        const std::vector<float> one = product(row, 1);
        if (!wide) {
          const Row expected = ref_linear_int8({x.begin() + row * kIn, x.begin() + (row + 1) * kIn},
                                               layer.linear.codes(), layer.linear.scales());
          ASSERT_EQ(Row(one.begin(), one.end()), expected) << kernels->name << " row " << row;
        }
        alone.insert(alone.end(), one.begin(), one.end());
      }
      for (const std::int64_t rows : {2, 3, 4, 5, 6, 7, 8, 11, 16, 17, 32, 33, 35})
        ASSERT_EQ(product(0, rows), std::vector<float>(alone.begin(), alone.begin() + rows * kOut))
            << kernels->name << ", " << rows << " rows of " << planes << " planes";
    }
  }
}

/// What a thread that gets `panel` next may walk in order: nothing known, all of them, or those from here on.
std::vector<PanelSpan> walks(std::int64_t panel, std::int64_t panels) {
  return {{panel, panel + 1}, {panel, panel + 1, 0, panels}, {panel, panel + 1, panel, panels}};
}

TEST_P(RowKernelSizes, WhatAThreadWalksChangesNothing) {
  const auto [rows, in, out] = sizes();
  const PackedInt8 layer(in, out, random_);
  std::vector<std::int8_t> x(static_cast<std::size_t>(rows * Activation::code_bytes(in)), 99);
  for (std::int8_t& code : x) code = random_code(random_);
  const std::int64_t panels = panels_of(out);
  for (const RowKernels* kernels : runnable()) {
    std::vector<float> together(static_cast<std::size_t>(rows * out)), alone(together.size());
    const std::vector<std::int16_t> both = joined(*kernels, rows, x.data(), in, true, 4 * layer.words);
    const Int8Rows codes{x.data(), in, true, both.data()};
    kernels->int8(layer.panels, {0, panels}, rows, codes, together.data());
    for (std::size_t walk = 0; walk < walks(0, panels).size(); ++walk) {
      std::fill(alone.begin(), alone.end(), NAN);
      for (std::int64_t panel = panels - 1; panel >= 0; --panel)
        kernels->int8(layer.panels, walks(panel, panels)[walk], rows, codes, alone.data());
      ASSERT_EQ(alone, together) << kernels->name << " walk " << walk;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Awkward, RowKernelSizes,
                         ::testing::Values(std::tuple{1, 64, 64}, std::tuple{1, 1, 1}, std::tuple{1, 70, 97},
                                           std::tuple{2, 97, 70}, std::tuple{3, 3, 5}, std::tuple{4, 150, 333},
                                           std::tuple{5, 128, 129}, std::tuple{7, 333, 64}, std::tuple{8, 61, 17},
                                           std::tuple{33, 160, 200}, std::tuple{7, 2053, 70}));

// So many panels, and so short ones, that several are fetched at once.
TEST(RowKernels, Int4OfManyPanelsIsTheSameHoweverTheyAreWalked) {
  const std::int64_t in = 96, out = 64 * 80 + 5, rows = 3;
  std::mt19937 random(9);
  const testing::RandomLinear linear(in, out, 32, DataType::bf16, random);
  const LinearWeights weights = linear.weights();
  Int4Panels panels{nullptr, out, in / 32, 32, scale_type(weights)};
  AlignedBuffer<std::byte> packed(panels.panel_bytes() * panels.panels());
  pack_int4(weights, panels, packed.data());
  panels.data = packed.data();
  std::vector<std::int8_t> codes(static_cast<std::size_t>(2 * rows * in));
  for (std::int8_t& code : codes) code = random_code(random);
  std::vector<std::int32_t> sums;
  for (std::size_t i = 0; i < codes.size(); i += 32)
    sums.push_back(std::accumulate(codes.begin() + static_cast<std::ptrdiff_t>(i),
                                   codes.begin() + static_cast<std::ptrdiff_t>(i + 32), 0));
  std::vector<float> first;
  for (const RowKernels* kernels : runnable()) {
    const std::vector<std::int16_t> both = joined(*kernels, rows, codes.data(), in, true, in);
    const Int4Rows input{codes.data(), sums.data(), both.data()};
    std::vector<float> together(static_cast<std::size_t>(rows * out));
    kernels->int4(panels, {0, panels.panels()}, rows, input, together.data());
    for (std::size_t walk = 0; walk < walks(0, panels.panels()).size(); ++walk) {
      std::vector<float> alone(together.size(), NAN);
      for (std::int64_t panel = 0; panel < panels.panels(); ++panel)
        kernels->int4(panels, walks(panel, panels.panels())[walk], rows, input, alone.data());
      ASSERT_EQ(alone, together) << kernels->name << " walk " << walk;
    }
    if (first.empty()) first = together;
    // Three groups of some thousands, whose sum may be small.
    for (std::size_t i = 0; i < first.size(); ++i)
      ASSERT_NEAR(together[i], first[i], 1e-5f * std::abs(first[i]) + 1e-2f) << kernels->name << " output " << i;
  }
}

TEST(RowKernels, Int8ExtremesDoNotOverflow) {
  // All codes of weights −128, all of activations the largest there are, over more than one block of a kernel's sums.
  const std::int64_t in = 2052, out = 64, words = in / 4, rows = 7;
  AlignedBuffer<std::int8_t> codes(in * out);
  std::fill_n(codes.data(), in * out, std::int8_t{-128});
  const std::vector<float> scales(static_cast<std::size_t>(out), 1.0f);
  const std::vector<std::int32_t> sums(static_cast<std::size_t>(out), static_cast<std::int32_t>(-128 * in));
  const Int8Panels panels{codes.data(), sums.data(), scales.data(), out, words, words};
  const std::vector<std::int8_t> x(static_cast<std::size_t>(rows * 2 * in), 127);
  for (const RowKernels* kernels : runnable()) {
    for (const std::int64_t count : {std::int64_t{1}, rows}) {
      std::vector<float> y(static_cast<std::size_t>(count * out));
      const std::vector<std::int16_t> both = joined(*kernels, count, x.data(), in, true, in);
      kernels->int8(panels, {0, 1}, count, {x.data(), in, true, both.data()}, y.data());
      const float expected = -128.0f * static_cast<float>(in) * 127.0f * 129.0f;
      for (const float value : y) ASSERT_NEAR(value, expected, 1e-6f * -expected) << kernels->name;
    }
  }
}

TEST(RowKernels, Int4ExtremesDoNotOverflow) {
  // All codes −8 and all activations −127 and −64: the largest sums there are.
  const std::int64_t in = 256, out = 64;
  std::vector<std::uint32_t> codes(static_cast<std::size_t>(out * in / 8), 0);
  std::vector<float> scales(static_cast<std::size_t>(out * in / 128), 1.0f);
  const model::StoredTensor code_view{
      "c", DataType::i32, {out, in / 8}, reinterpret_cast<const std::byte*>(codes.data())};
  const model::StoredTensor scale_view{"s", DataType::f32, {out, 2}, reinterpret_cast<const std::byte*>(scales.data())};
  const LinearWeights weights = join("test", "test", {{&code_view, &scale_view, 4, 128, {out, in}}});
  Int4Panels panels{nullptr, out, 2, 128, ScaleType::f32};
  AlignedBuffer<std::byte> packed(panels.panel_bytes());
  pack_int4(weights, panels, packed.data());
  panels.data = packed.data();
  std::vector<std::int8_t> x(static_cast<std::size_t>(2 * in), -127);
  std::fill(x.begin() + in, x.end(), std::int8_t{-64});
  const std::vector<std::int32_t> sums{-127 * 128, -127 * 128, -64 * 128, -64 * 128};
  for (const RowKernels* kernels : runnable()) {
    // One row, and the same row seven times.
    std::vector<float> y(static_cast<std::size_t>(out));
    const std::vector<std::int16_t> one = joined(*kernels, 1, x.data(), in, true, in);
    kernels->int4(panels, {0, 1}, 1, {x.data(), sums.data(), one.data()}, y.data());
    for (const float value : y) EXPECT_EQ(value, (127.0f * 128.0f + 64.0f) * 8.0f * 256.0f) << kernels->name;
    std::vector<std::int8_t> many;
    std::vector<std::int32_t> many_sums;
    for (int row = 0; row < 7; ++row) {
      many.insert(many.end(), x.begin(), x.end());
      many_sums.insert(many_sums.end(), sums.begin(), sums.end());
    }
    std::vector<float> all(static_cast<std::size_t>(7 * out));
    const std::vector<std::int16_t> both = joined(*kernels, 7, many.data(), in, true, in);
    kernels->int4(panels, {0, 1}, 7, {many.data(), many_sums.data(), both.data()}, all.data());
    for (const float value : all) EXPECT_EQ(value, y[0]) << kernels->name;
  }
}

TEST(HalfToFloat, KeepsEveryValue) {
  EXPECT_EQ(float_of_half(0x3C00, ScaleType::f16), 1.0f);
  EXPECT_EQ(float_of_half(0xC500, ScaleType::f16), -5.0f);
  EXPECT_EQ(float_of_half(0x0001, ScaleType::f16), 0x1p-24f);
  EXPECT_EQ(float_of_half(0x83FF, ScaleType::f16), -1023 * 0x1p-24f);
  EXPECT_EQ(float_of_half(0x7BFF, ScaleType::f16), 65504.0f);
  EXPECT_EQ(float_of_half(0x3F80, ScaleType::bf16), 1.0f);
  EXPECT_TRUE(std::isnan(float_of_half(0x7E00, ScaleType::f16)));
  EXPECT_EQ(float_of_half(0xFC00, ScaleType::f16), -INFINITY);
  EXPECT_TRUE(std::isnan(float_of_half(0x7FC0, ScaleType::bf16)));
}

}  // namespace
}  // namespace retort::runtime
