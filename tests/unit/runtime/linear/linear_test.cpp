// Linear layers against the reference, in every form, at sizes that pruning leaves behind and rows between buckets.
#include "runtime/linear/linear.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <tuple>

#include "random_linear.h"
#include "random_model.h"
#include "runtime/kernels/bfloat16.h"
#include "runtime/kernels/reference_kernels.h"
#include "runtime/linear/row_kernel.h"

namespace retort::runtime {
namespace {

using testing::RandomLinear;

/// Buffers for the input and output of one layer, as a workspace sizes them.
struct Buffers {
  Buffers(const Linear& linear, std::int64_t rows, std::mt19937& random)
      : bucket(row_bucket(rows)),
        values(testing::random_values(bucket * linear.in(), random)),
        codes(static_cast<std::size_t>(bucket * Activation::code_bytes(linear.in()))),
        row_scales(static_cast<std::size_t>(bucket)),
        halves(values.size()),
        group_sums(static_cast<std::size_t>(bucket * Activation::group_sums_of(linear.in()))),
        outliers(static_cast<std::size_t>(bucket * outliers_of(linear.in()))),
        out(static_cast<std::size_t>(bucket * linear.out())) {}

  Activation activation() {
    return {values.data(), codes.data(), row_scales.data(), halves.data(), group_sums.data(), outliers.data()};
  }
  /// One value of every other row a hundred times as large: an outlier in rows of more than 49 values.
  void enlarge_some(std::int64_t in) {
    for (std::int64_t row = 0; row < bucket; row += 2)
      values[static_cast<std::size_t>(row * in + 7 * row % in)] = row % 4 == 0 ? 300.0f : -400.0f;
  }
  Row input(std::int64_t row, std::int64_t in) const {
    return {values.begin() + row * in, values.begin() + (row + 1) * in};
  }
  /// Finishes all rows, runs and applies the rows' scales.
  void run(const Linear& linear, std::int64_t rows) {
    const Activation in = activation();
    for (std::int64_t row = 0; row < bucket; ++row) {
      float maximum = 0;
      for (const float value : input(row, linear.in())) maximum = std::max(maximum, std::fabs(value));
      linear.finish_row(in, row, rows, maximum);
    }
    const ThreadCountScope threads(1);
    linear.run(rows, in, out.data());
    for (std::int64_t i = 0; i < rows * linear.out(); ++i)
      out[static_cast<std::size_t>(i)] *= row_scales[static_cast<std::size_t>(i / linear.out())];
  }

  std::int64_t bucket;
  std::vector<float> values;
  std::vector<std::int8_t> codes;
  std::vector<float> row_scales;
  std::vector<std::uint16_t> halves;
  std::vector<std::int32_t> group_sums, outliers;
  std::vector<float> out;
};

bool has_avx512(const OneDnnEngine& onednn) {
  return (onednn.instruction_set() & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core;
}

constexpr KernelChoice kEveryChoice[] = {KernelChoice::faster, KernelChoice::row_kernels, KernelChoice::onednn};

using LinearShape = std::tuple<std::int64_t, std::int64_t, std::int64_t>;  // rows, in, out

class LinearSizes : public ::testing::TestWithParam<LinearShape> {
 protected:
  /// Every row is within `tolerance` of expected(row's input).
  template <class Expected>
  void expect_rows(const LinearWeights& weights, float tolerance, const Expected& expected,
                   KernelChoice choice = KernelChoice::faster, bool outliers = false) {
    const auto [rows, in, out] = GetParam();
    const Linear linear(pool_, weights, choice);
    Buffers buffers(linear, rows, random_);
    if (outliers) buffers.enlarge_some(in);
    buffers.run(linear, rows);
    for (std::int64_t row = 0; row < rows; ++row) {
      const Row wanted = expected(buffers.input(row, in));
      for (std::int64_t n = 0; n < out; ++n) {
        ASSERT_NEAR(buffers.out[static_cast<std::size_t>(row * out + n)], wanted[static_cast<std::size_t>(n)],
                    tolerance)
            << linear.implementation() << ", row " << row << ", column " << n;
      }
    }
  }
  /// Rows of the packed weight are those of the stored one.
  void expect_look_up(const LinearWeights& weights) {
    const Linear linear(pool_, weights);
    const std::vector<float> expected = dequantized(weights);
    std::vector<float> row(static_cast<std::size_t>(weights.in));
    for (std::int64_t n = 0; n < weights.out; ++n) {
      linear.look_up(n, row.data());
      ASSERT_EQ(row, std::vector<float>(expected.begin() + n * weights.in, expected.begin() + (n + 1) * weights.in));
    }
  }

  /// x in the codes that layers make of it, times those of the weight.
  /// x as bf16, where layers are multiplied so; elsewhere they are in f32, and x as it is.
  Row as_bf16(Row x) const {
    for (float& value : x)
      if (onednn_.multiplies_bf16()) value = float_of_half(to_bfloat16(value), ScaleType::bf16);
    return x;
  }

  static Row wide_product(const Row& x, const RandomLinear& weight, std::int64_t group) {
    const auto [codes, scale] = testing::wide_codes(x);
    Row y = ref_linear_wide(codes, weight.codes(), weight.scales(), group);
    for (float& value : y) value *= scale;
    return y;
  }

  std::int64_t rows() const { return std::get<0>(GetParam()); }
  std::int64_t in() const { return std::get<1>(GetParam()); }
  std::int64_t out() const { return std::get<2>(GetParam()); }

  OneDnnEngine onednn_{1};
  MatmulPool pool_{onednn_, 512};
  std::mt19937 random_{5};
};

TEST_P(LinearSizes, F32EqualsReference) {
  const RandomLinear random(WeightForm::f32, in(), out(), random_);
  // Sums of `in` products of standard deviation 1/sqrt(in) in f32.
  expect_rows(random.weights(), 2e-6f * std::sqrt(static_cast<float>(in())) + 1e-6f,
              [&](const Row& x) { return ref_linear(x, random.values(), out()); });
}

TEST_P(LinearSizes, Bf16EqualsTheReferenceOnRoundedInputs) {
  const RandomLinear random(WeightForm::bf16, in(), out(), random_);
  expect_rows(random.weights(), 2e-6f * std::sqrt(static_cast<float>(in())) + 1e-6f,
              [&](const Row& x) { return ref_linear(as_bf16(x), random.values(), out()); });
}

// Also where oneDNN would round them to bf16.
TEST(Linear, OneRowOfALargeBf16LayerKeepsItsInputs) {
  const OneDnnEngine onednn(2);
  MatmulPool pool(onednn, 64);
  std::mt19937 random(11);
  constexpr std::int64_t kIn = 1023, kOut = 1000;
  const RandomLinear weights(WeightForm::bf16, kIn, kOut, random);
  const Linear linear(pool, weights.weights());
  Buffers buffers(linear, 1, random);
  buffers.run(linear, 1);
  const Row expected = ref_linear(buffers.input(0, kIn), weights.values(), kOut);
  for (std::size_t n = 0; n < kOut; ++n)
    ASSERT_NEAR(buffers.out[n], expected[n], 2e-6f * 32.0f) << linear.implementation() << ", column " << n;
  const bool two_kernels = linear.implementation().find(", from 2 rows ") != std::string::npos;
  EXPECT_EQ(two_kernels, onednn.multiplies_bf16()) << linear.implementation();
}

TEST_P(LinearSizes, Int8EqualsIntegerSums) {
  const RandomLinear random(WeightForm::int8, in(), out(), random_);
  LinearWeights weights = random.weights();
  weights.activation_bits = 8;
  // Integer sums are exact, then two factors are rounded: at most 127 · 128 · in · 0.02 · 4/127.
  const auto expected = [&](const Row& x) { return ref_linear_int8_rows(x, random.codes(), random.scales()); };
  for (const KernelChoice choice : kEveryChoice)
    expect_rows(weights, 1e-6f * 0.4f * static_cast<float>(in()), expected, choice);
}

TEST_P(LinearSizes, Int8ActivationsLeaveOutliersInFloat) {
  const RandomLinear random(WeightForm::int8, in(), out(), random_);
  LinearWeights weights = random.weights();
  weights.activation_bits = 8;
  // As above, and one product of at most 400 · 127 · 0.02 in f32.
  const float tolerance = 1e-6f * 0.4f * static_cast<float>(in()) + 400.0f * 127.0f * 0.02f * 2e-7f;
  // In rows of up to 49 values nothing is an outlier: codes of 400 / 127, whose sums are exact.
  for (const KernelChoice choice : kEveryChoice)
    expect_rows(
        weights, in() > 49 ? tolerance : 100 * tolerance,
        [&](const Row& x) { return ref_linear_int8_rows(x, random.codes(), random.scales()); }, choice, true);
}

TEST_P(LinearSizes, Int8WithFloatActivationsEqualsWideIntegerSums) {
  const RandomLinear random(WeightForm::int8, in(), out(), random_);
  for (const KernelChoice choice : kEveryChoice)
    expect_rows(
        random.weights(), 1e-6f * 0.4f * static_cast<float>(in()),
        [&](const Row& x) { return wide_product(x, random, in()); }, choice);
}

TEST_P(LinearSizes, WideActivationsAreNextToFloat) {
  // An activation is off by at most half a code, 4/32512, and weights are at most 128 · 0.02.
  const float tolerance = 2.56f * 4.5f / 32512.0f * std::sqrt(static_cast<float>(in())) * 4.0f;
  const RandomLinear int8(WeightForm::int8, in(), out(), random_);
  expect_rows(int8.weights(), tolerance, [&](const Row& x) { return ref_linear(x, int8.values(), out()); });
  const RandomLinear int4(in(), out(), 64, model::DataType::f32, random_);
  const std::vector<float> values = dequantized(int4.weights());
  expect_rows(
      int4.weights(), tolerance / 16, [&](const Row& x) { return ref_linear(x, values, out()); },
      KernelChoice::row_kernels);
}

TEST_P(LinearSizes, Int4EqualsIntegerSumsOfEachGroup) {
  for (const std::int64_t group : {32, 64, 128}) {
    const RandomLinear random(in(), out(), group, model::DataType::bf16, random_);
    const std::int64_t groups = in() / group;
    expect_rows(
        random.weights(), 1e-6f * static_cast<float>(groups + 4),
        [&](const Row& x) { return wide_product(x, random, group); }, KernelChoice::row_kernels);
  }
}

TEST_P(LinearSizes, Int4ByOneDnnEqualsTheDequantisedReference) {
  for (const std::int64_t group : {0, 32, 64, 128}) {
    const RandomLinear random(in(), out(), group, model::DataType::f16, random_);
    const std::int64_t width = group == 0 ? in() : group, groups = in() / width;
    const InputForm form = Linear(pool_, random.weights(), KernelChoice::onednn).input_form();
    // Without AVX-512 oneDNN's layout is another, and the row kernel does it after all.
    EXPECT_EQ(form, has_avx512(onednn_) ? InputForm::f32 : InputForm::wide_rows);
    const std::vector<float> values = dequantized(random.weights());
    // Products of up to 8 · 0.02 · 4 in f32; or exact sums of each group, as above.
    const float tolerance = form == InputForm::f32 ? 1e-6f * std::sqrt(static_cast<float>(in())) + 1e-6f
                                                   : 1e-6f * static_cast<float>(groups + 4);
    const auto expected = [&](const Row& x) {
      return form == InputForm::f32 ? ref_linear(x, values, out()) : wide_product(x, random, width);
    };
    expect_rows(random.weights(), tolerance, expected, KernelChoice::onednn);
  }
}

TEST_P(LinearSizes, Int4WithZeroPointsEqualsIntegerSumsOfEachGroup) {
  for (const std::int64_t group : {0, 32, 64, 128}) {
    for (const model::DataType scales : {model::DataType::f32, model::DataType::f16, model::DataType::bf16}) {
      RandomLinear random(in(), out(), group, scales, random_);
      random.make_asymmetric(random_);
      if (scales == model::DataType::f32) random.negate_some_scales();
      const std::int64_t width = group == 0 ? in() : group, groups = in() / width;
      // Two sums of each group, exact but for the scales, and their difference.
      expect_rows(
          random.weights(), 2e-6f * static_cast<float>(groups + 4),
          [&](const Row& x) { return wide_product(x, random, width); }, KernelChoice::row_kernels);
      expect_look_up(random.weights());
    }
  }
}

TEST_P(LinearSizes, Int4WithZeroPointsByOneDnnEqualsTheDequantisedReference) {
  RandomLinear random(in(), out(), 32, model::DataType::f16, random_);
  random.make_asymmetric(random_);
  const std::vector<float> values = dequantized(random.weights());
  const bool unpacked = Linear(pool_, random.weights(), KernelChoice::onednn).input_form() == InputForm::f32;
  const auto expected = [&](const Row& x) {
    return unpacked ? ref_linear(x, values, out()) : wide_product(x, random, 32);
  };
  // Products of up to 15 · 0.02 · 4 in f32; or exact sums, as above.
  const float tolerance =
      2e-6f * (unpacked ? std::sqrt(static_cast<float>(in())) + 1.0f : static_cast<float>(in() / 32 + 4));
  expect_rows(random.weights(), tolerance, expected, KernelChoice::onednn);
}

TEST_P(LinearSizes, NegativeScalesAreMultipliedAsTheyAre) {
  RandomLinear int8(WeightForm::int8, in(), out(), random_);
  int8.negate_some_scales();
  LinearWeights weights = int8.weights();
  for (const int activation_bits : {0, 8}) {
    weights.activation_bits = activation_bits;
    const auto expected = [&](const Row& x) {
      return activation_bits == 8 ? ref_linear_int8_rows(x, int8.codes(), int8.scales()) : wide_product(x, int8, in());
    };
    for (const KernelChoice choice : kEveryChoice)
      expect_rows(weights, 1e-6f * 0.4f * static_cast<float>(in()), expected, choice);
  }
  RandomLinear int4(in(), out(), 64, model::DataType::f32, random_);
  int4.negate_some_scales();
  expect_rows(
      int4.weights(), 1e-6f * static_cast<float>(in() / 64 + 4),
      [&](const Row& x) { return wide_product(x, int4, 64); }, KernelChoice::row_kernels);
}

TEST_P(LinearSizes, Int8GivesTheSameBitsByEveryKernelAndForAnyNumberOfRows) {
  const RandomLinear random(WeightForm::int8, in(), out(), random_);
  for (const int activation_bits : {0, 8}) {
    LinearWeights weights = random.weights();
    weights.activation_bits = activation_bits;
    std::vector<std::vector<float>> results;
    for (const KernelChoice choice : kEveryChoice) {
      const Linear linear(pool_, weights, choice);
      std::mt19937 inputs(8);
      Buffers buffers(linear, rows(), inputs);
      buffers.enlarge_some(in());
      buffers.run(linear, rows());
      const std::vector<float> first(buffers.out.begin(), buffers.out.begin() + out());
      buffers.out.resize(static_cast<std::size_t>(rows() * out()));
      results.push_back(buffers.out);
      buffers.run(linear, 1);
      buffers.out.resize(static_cast<std::size_t>(out()));
      EXPECT_EQ(buffers.out, first) << linear.implementation() << ", of a row alone";
    }
    EXPECT_EQ(results[0], results[1]) << activation_bits;
    if (activation_bits == 8 || row_kernels_for(onednn_.instruction_set()).join == nullptr) {
      EXPECT_EQ(results[1], results[2]) << activation_bits;
      continue;
    }
    // With AVX-VNNI oneDNN, which row kernels of joined codes share no layer with, adds the planes' sums.
    float largest = 0;
    for (const float value : results[2]) largest = std::max(largest, std::abs(value));
    for (std::size_t i = 0; i < results[2].size(); ++i)
      ASSERT_NEAR(results[1][i], results[2][i], 1e-6f * largest) << activation_bits << " value " << i;
  }
}

TEST(Linear, Int4IsUnpackedForOneDnnWhereThatIsFaster) {
  const OneDnnEngine onednn(1);
  MatmulPool pool(onednn, 512);
  std::mt19937 random(6);
  // Blocks of columns, of which the last is narrower.
  const RandomLinear weights(1500, 2000, 64, model::DataType::bf16, random);
  const Linear faster(pool, weights.weights()), row_kernels(pool, weights.weights(), KernelChoice::row_kernels),
      unpacked(pool, weights.weights(), KernelChoice::onednn);
  const auto product = [](const Linear& linear, std::int64_t rows) {
    std::mt19937 inputs(7);
    Buffers buffers(linear, rows, inputs);
    buffers.run(linear, rows);
    buffers.out.resize(static_cast<std::size_t>(rows * linear.out()));
    return buffers.out;
  };
  const bool vnni = onednn.multiplies_int8_exactly();
  EXPECT_EQ(product(faster, 8), product(row_kernels, 8));
  EXPECT_EQ(product(faster, 150), product(vnni ? row_kernels : unpacked, 150));
  const std::vector<float> by_onednn = product(unpacked, 150), by_row_kernel = product(row_kernels, 150);
  // Four deviations of what codes of 15 bits may be off, as in WideActivationsAreNextToFloat.
  const float tolerance = 0.16f * 4.5f / 32512.0f * std::sqrt(1500.0f) * 4.0f;
  for (std::size_t i = 0; i < by_onednn.size(); ++i) ASSERT_NEAR(by_onednn[i], by_row_kernel[i], tolerance) << i;
  const bool avx512 = has_avx512(onednn);
  const std::string text = " rows unpacked to f32: ";
  EXPECT_EQ(faster.implementation().find(text) != std::string::npos, avx512 && !vnni) << faster.implementation();
  EXPECT_EQ(unpacked.implementation().find(text) != std::string::npos, avx512) << unpacked.implementation();
  EXPECT_EQ(row_kernels.implementation().find(text), std::string::npos) << row_kernels.implementation();
}

TEST_P(LinearSizes, Int4InOddGroupsIsMultipliedInF32) {
  const RandomLinear random(in(), out(), in() % 5 == 0 ? 5 : 1, model::DataType::f32, random_);
  const bool whole_row = in() == 1 || in() == 5;
  EXPECT_EQ(random.weights().form, whole_row ? WeightForm::int4 : WeightForm::f32);
  if (whole_row) return;
  expect_rows(random.weights(), 1e-6f * static_cast<float>(in()),
              [&](const Row& x) { return ref_linear(x, random.values(), out()); });
}

TEST_P(LinearSizes, LooksUpRowsOfPackedInt8Int4AndFloats) {
  for (const WeightForm form : {WeightForm::f32, WeightForm::bf16, WeightForm::int8})
    expect_look_up(RandomLinear(form, in(), out(), random_).weights());
  for (const std::int64_t group : {0, 32, 64, 128})
    expect_look_up(RandomLinear(in(), out(), group, model::DataType::f16, random_).weights());
}

INSTANTIATE_TEST_SUITE_P(Awkward, LinearSizes,
                         ::testing::Values(LinearShape{1, 1, 1}, LinearShape{1, 64, 64}, LinearShape{1, 70, 97},
                                           LinearShape{2, 97, 70}, LinearShape{3, 3, 5}, LinearShape{33, 150, 333},
                                           LinearShape{15, 128, 2047}, LinearShape{65, 61, 17},
                                           LinearShape{300, 33, 129}, LinearShape{512, 20, 19}));

TEST(Linear, RefusesMoreRowsThanTheLargestBucket) {
  EXPECT_EQ(row_bucket(1), 1);
  EXPECT_EQ(row_bucket(33), 48);
  EXPECT_EQ(row_bucket(512), 512);
  EXPECT_THROW(row_bucket(513), std::invalid_argument);
  EXPECT_THROW(row_bucket(0), std::invalid_argument);
}

TEST(Linear, MultipliesAtOnceUnlessPaddingCostsMoreThanReadingTheWeightsAgain) {
  for (const std::int64_t rows : {1, 3, 16, 17, 33, 60, 64, 90, 96, 180, 192, 250, 512}) {
    EXPECT_EQ(rows_at_once(rows), rows);
  }
  EXPECT_EQ(rows_at_once(65), 64);
  EXPECT_EQ(rows_at_once(80), 64);
  EXPECT_EQ(rows_at_once(120), 96);
  EXPECT_EQ(rows_at_once(130), 128);
  EXPECT_EQ(rows_at_once(400), 384);
  for (std::int64_t rows = 1; rows <= 512; ++rows) {
    std::int64_t left = rows, padded = 0;
    while (left > 0) {
      const std::int64_t count = rows_at_once(left);
      ASSERT_TRUE(count >= 1 && count <= left) << rows;
      padded = rows - left + row_bucket(count);
      left -= count;
    }
    ASSERT_LE(padded, row_bucket(rows)) << rows << " rows need more room than their bucket";
  }
}

TEST(Linear, SaysWhichImplementationRuns) {
  const OneDnnEngine onednn(1);
  MatmulPool pool(onednn, 64);
  std::mt19937 random(1);
  const RandomLinear weights(WeightForm::int8, 128, 256, random);
  const std::string text = Linear(pool, weights.weights()).implementation();
  EXPECT_EQ(text.find("linear int8 [256,128]: retort:"), 0u) << text;
  EXPECT_EQ(text.find("ref"), std::string::npos) << text;
}

// With AMX oneDNN leaves a few rows of a small layer to kernels that cannot read the layout.
TEST(Linear, OneDnnMultipliesInt8OfAnyShapeFromAtMost16Rows) {
  const OneDnnEngine onednn(1);
  if (!onednn.multiplies_int8_exactly()) GTEST_SKIP() << "no int8 products on this processor";
  for (const auto& [in, out] : {std::pair{20, 19}, {64, 64}, {192, 192}, {512, 64}, {896, 1152}}) {
    const Matmul matmul(onednn, {Arithmetic::int8, in, out}, 64, "test.linear");
    EXPECT_GE(matmul.least_rows(), 1) << in << " x " << out;
    EXPECT_LE(matmul.least_rows(), 16) << in << " x " << out;
    EXPECT_FALSE(is_reference(matmul.implementation())) << in << " x " << out;
  }
}

TEST(Linear, RefusesOneDnnsReferenceLoopsByLayerAndShape) {
  const MatmulShape shape{Arithmetic::int8, 128, 256};
  EXPECT_NO_THROW(refuse_reference("brg_matmul:avx512_core_vnni", "layer", shape, 1));
  EXPECT_NO_THROW(refuse_reference("gemm:jit", "layer", shape, 1));
  for (const char* implementation : {"ref:any", "ref_int8:any"}) {
    try {
      refuse_reference(implementation, "model.layers.3.mlp.down_proj", shape, 16);
      ADD_FAILURE() << "accepted " << implementation;
    } catch (const std::runtime_error& error) {
      for (const char* part : {"model.layers.3.mlp.down_proj", implementation, "int8 [256,128]", "16 rows"}) {
        EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
      }
    }
  }
}

TEST(Linear, RefusesWeightsAndScalesThatAreNotFinite) {
  const OneDnnEngine onednn(1);
  MatmulPool pool(onednn, 64);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    std::vector<float> values(70 * 97, 1.0f);
    values[3000] = bad;
    const auto* bytes = reinterpret_cast<const std::byte*>(values.data());
    const model::StoredTensor weight{"x.weight", model::DataType::f32, {97, 70}, bytes};
    std::vector<std::uint16_t> halves(70 * 97, to_bfloat16(1.0f));
    halves[3001] = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(bad) >> 16U);
    const model::StoredTensor half{
        "x.weight", model::DataType::bf16, {97, 70}, reinterpret_cast<const std::byte*>(halves.data())};
    const std::vector<std::int8_t> codes(3001 * 2);
    const model::StoredTensor code{
        "x.weight", model::DataType::i8, {3001, 2}, reinterpret_cast<const std::byte*>(codes.data())};
    const model::StoredTensor scale{"x.scale", model::DataType::f32, {3001, 1}, bytes};
    EXPECT_THROW(Linear(pool, join("x", "test", {{&weight, nullptr, 0, 0, {97, 70}}})), std::runtime_error);
    EXPECT_THROW(Linear(pool, join("x", "test", {{&half, nullptr, 0, 0, {97, 70}}})), std::runtime_error);
    EXPECT_THROW(Linear(pool, join("x", "test", {{&code, &scale, 8, 0, {3001, 2}}})), std::runtime_error);
  }
}

/// A layer in every form, of over a million weights, from where on other limits hold.
struct LargeLayers {
  explicit LargeLayers(std::mt19937& random)
      : f32(WeightForm::f32, kIn, kOut, random),
        bf16(WeightForm::bf16, kIn, kOut, random),
        int8(WeightForm::int8, kIn, kOut, random),
        int4(kIn, kOut, 64, model::DataType::bf16, random) {}

  /// Borrows from this.
  std::vector<LinearWeights> all() const {
    LinearWeights w8a8 = int8.weights();
    w8a8.activation_bits = 8;
    return {f32.weights(), bf16.weights(), int8.weights(), w8a8, int4.weights()};
  }

  static constexpr std::int64_t kIn = 640, kOut = 1600;
  RandomLinear f32, bf16, int8, int4;
};

// But oneDNN without AVX-512, which adds parts of a sum by thread.
TEST(Linear, GivesTheSameBitsWithTwoThreads) {
  std::mt19937 random(3);
  const LargeLayers layers(random);
  for (const LinearWeights& weights : layers.all()) {
    for (const std::int64_t rows : {1, 33, 130}) {
      std::vector<std::vector<float>> results;
      for (const std::int64_t threads : {1, 2}) {
        const OneDnnEngine onednn(threads);
        MatmulPool pool(onednn, 256);
        const Linear linear(pool, weights);
        if (!has_avx512(onednn) && linear.implementation().find("retort:") == std::string::npos) continue;
        std::mt19937 inputs(4);
        Buffers buffers(linear, rows, inputs);
        buffers.run(linear, rows);
        const ThreadCountScope scope(onednn.threads());
        linear.run(rows, buffers.activation(), buffers.out.data());
        buffers.out.resize(static_cast<std::size_t>(rows * linear.out()));
        results.push_back(buffers.out);
      }
      if (results.empty()) continue;
      EXPECT_EQ(results[0], results[1]) << rows << " rows, " << static_cast<int>(weights.form);
    }
  }
}

// What finishes the rows runs once, before anything reads them: nothing but time may depend on when they are finished,
// nor on who applies their scales.
TEST(Linear, RowsFinishedOnTheWayAndScalesAppliedOnTheWayGiveTheSameBits) {
  std::mt19937 random(5);
  constexpr std::int64_t kIn = LargeLayers::kIn, kOut = LargeLayers::kOut;
  const LargeLayers layers(random);
  const OneDnnEngine onednn(2);
  MatmulPool pool(onednn, 256);
  for (const LinearWeights& weights : layers.all()) {
    for (const KernelChoice choice : kEveryChoice) {
      const Linear linear(pool, weights, choice);
      for (const std::int64_t rows : {1, 2, 40}) {
        std::mt19937 inputs(6);
        Buffers buffers(linear, rows, inputs);
        buffers.enlarge_some(kIn);
        const Activation in = buffers.activation();
        const ThreadCountScope scope(onednn.threads());
        int calls = 0;
        const auto finish = [&] {
          ++calls;
          for (std::int64_t row = 0; row < buffers.bucket; ++row) linear.finish_row(in, row, rows, 400.0f);
        };
        finish();
        linear.run(rows, in, buffers.out.data());
        std::vector<float> expected = buffers.out;
        expected.resize(static_cast<std::size_t>(rows * kOut));
        // What a row that is not finished yet would give.
        const auto forget = [&] {
          std::fill(buffers.codes.begin(), buffers.codes.end(), std::int8_t{1});
          std::fill(buffers.halves.begin(), buffers.halves.end(), std::uint16_t{1});
          std::fill(buffers.row_scales.begin(), buffers.row_scales.end(), 3.0f);
          std::fill(buffers.group_sums.begin(), buffers.group_sums.end(), 1);
          std::fill(buffers.outliers.begin(), buffers.outliers.end(), 0);
          std::fill(buffers.out.begin(), buffers.out.end(), 1.0f);
        };
        const auto result = [&] { return std::vector<float>(buffers.out.begin(), buffers.out.begin() + rows * kOut); };
        forget();
        linear.run(rows, in, buffers.out.data(), finish);
        EXPECT_EQ(calls, 2);
        EXPECT_EQ(result(), expected) << linear.implementation() << ", " << rows << " rows";
        for (std::int64_t row = 0; row < rows; ++row)
          for (std::int64_t n = 0; n < kOut; ++n)
            expected[static_cast<std::size_t>(row * kOut + n)] *= buffers.row_scales[static_cast<std::size_t>(row)];
        forget();
        linear.run_scaled(rows, in, buffers.out.data(), finish);
        EXPECT_EQ(calls, 3);
        EXPECT_EQ(result(), expected) << linear.implementation() << ", " << rows << " rows, scaled";
      }
    }
  }
}

}  // namespace
}  // namespace retort::runtime
