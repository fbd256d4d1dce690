// Linear layers against the reference, f32 and int8, at sizes that pruning leaves behind and rows between buckets.
#include "runtime/linear.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <string>
#include <tuple>

#include "random_model.h"
#include "runtime/reference_kernels.h"

namespace retort::runtime {
namespace {

LinearWeights random_linear(const MatmulShape& shape, std::mt19937& random) {
  LinearWeights weights{"test.linear", shape};
  if (shape.arithmetic == Arithmetic::f32) {
    weights.values = testing::random_values(shape.in * shape.out, random);
    return weights;
  }
  std::uniform_int_distribution<int> code(-127, 127);
  weights.codes.resize(static_cast<std::size_t>(shape.in * shape.out));
  for (std::int8_t& value : weights.codes) value = static_cast<std::int8_t>(code(random));
  std::uniform_real_distribution<float> scale(0.001f, 0.02f);
  for (std::int64_t row = 0; row < shape.out; ++row) weights.scales.push_back(scale(random));
  return weights;
}

using Sizes = std::tuple<std::int64_t, std::int64_t, std::int64_t>;  // rows, in, out

class LinearSizes : public ::testing::TestWithParam<Sizes> {
 protected:
  OneDnnEngine onednn_{1};
  MatmulPool pool_{onednn_, 512};
  std::mt19937 random_{5};
};

TEST_P(LinearSizes, F32EqualsReference) {
  const auto [rows, in, out] = GetParam();
  const LinearWeights weights = random_linear({Arithmetic::f32, in, out}, random_);
  const Linear linear(pool_, weights);
  std::vector<float> x = testing::random_values(row_bucket(rows) * in, random_);
  std::vector<float> y(static_cast<std::size_t>(row_bucket(rows) * out));
  linear.run(rows, {.values = x.data()}, y.data());
  // Sums of `in` products of unit normals in f32: the error grows as sqrt(in) · 6e-8 · few.
  const float tolerance = 2e-6f * static_cast<float>(in);
  for (std::int64_t row = 0; row < rows; ++row) {
    const Row expected = ref_linear({x.begin() + row * in, x.begin() + (row + 1) * in}, weights.values, out);
    for (std::int64_t o = 0; o < out; ++o) {
      ASSERT_NEAR(y[static_cast<std::size_t>(row * out + o)], expected[static_cast<std::size_t>(o)], tolerance);
    }
  }
}

TEST_P(LinearSizes, Int8EqualsReferenceExactlyUpToOneRounding) {
  const auto [rows, in, out] = GetParam();
  const LinearWeights weights = random_linear({Arithmetic::int8, in, out}, random_);
  const Linear linear(pool_, weights);
  std::uniform_int_distribution<int> code(-127, 127);
  std::vector<std::int8_t> x(static_cast<std::size_t>(row_bucket(rows) * in));
  for (std::int8_t& value : x) value = static_cast<std::int8_t>(code(random_));
  std::vector<float> y(static_cast<std::size_t>(row_bucket(rows) * out));
  std::vector<float> values(x.begin(), x.end());  // what a processor without VNNI multiplies
  linear.run(rows, {.values = values.data(), .codes = x.data()}, y.data());
  // Integer sums are exact; f32 sums of the same products, each at most 127 · 127 · 0.02, are not.
  const float sum_error = linear.codes_as_f32() ? 1e-7f * 323.0f * static_cast<float>(in) : 1e-9f;
  for (std::int64_t row = 0; row < rows; ++row) {
    const Row expected =
        ref_linear_int8({x.begin() + row * in, x.begin() + (row + 1) * in}, weights.codes, weights.scales);
    for (std::int64_t o = 0; o < out; ++o) {
      const float value = expected[static_cast<std::size_t>(o)];
      ASSERT_NEAR(y[static_cast<std::size_t>(row * out + o)], value, 2e-7f * std::fabs(value) + sum_error);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Awkward, LinearSizes,
                         ::testing::Values(Sizes{1, 1, 1}, Sizes{1, 64, 64}, Sizes{1, 70, 97}, Sizes{2, 97, 70},
                                           Sizes{3, 3, 5}, Sizes{33, 150, 333}, Sizes{15, 128, 2047}, Sizes{65, 61, 17},
                                           Sizes{300, 33, 129}, Sizes{512, 20, 19}));

TEST(Linear, RefusesMoreRowsThanTheLargestBucket) {
  EXPECT_EQ(row_bucket(1), 1);
  EXPECT_EQ(row_bucket(33), 64);
  EXPECT_EQ(row_bucket(512), 512);
  EXPECT_THROW(row_bucket(513), std::invalid_argument);
  EXPECT_THROW(row_bucket(0), std::invalid_argument);
}

TEST(Linear, SaysWhichImplementationRuns) {
  const OneDnnEngine onednn(1);
  MatmulPool pool(onednn, 64);
  std::mt19937 random(1);
  const Linear linear(pool, random_linear({Arithmetic::int8, 128, 256}, random));
  EXPECT_EQ(linear.implementation().find("linear int8 [256,128]"), 0u) << linear.implementation();
  EXPECT_EQ(linear.implementation().find("ref"), std::string::npos) << linear.implementation();
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

TEST(Linear, GivesTheSameBitsWithTwoThreads) {
  std::mt19937 random(3);
  const LinearWeights weights = random_linear({Arithmetic::f32, 150, 333}, random);
  std::vector<float> x = testing::random_values(64 * 150, random);
  std::vector<std::vector<float>> results;
  for (const std::int64_t threads : {1, 2}) {
    const OneDnnEngine onednn(threads);
    MatmulPool pool(onednn, 64);
    const Linear linear(pool, weights);
    const ThreadCountScope scope(onednn.threads());
    results.emplace_back(std::size_t{64 * 333});
    linear.run(33, {.values = x.data()}, results.back().data());
  }
  results[0].resize(33 * 333);
  results[1].resize(33 * 333);
  EXPECT_EQ(results[0], results[1]);
}

}  // namespace
}  // namespace retort::runtime
