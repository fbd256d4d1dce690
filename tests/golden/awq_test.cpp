// quantize.awq: the chosen factors against a search in plain loops and f64, and what must hold of every search.
#include "awq.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

namespace retort::golden {

namespace {

using quantize::CodedRow;
using quantize::CodeGrid;
using quantize::InputView;
using quantize::Smoothing;
using quantize::WeightView;

/// A site of two modules with inputs whose channel 5 (and 21) is an outlier.
struct TwoModules {
  static constexpr std::size_t columns = 32, samples = 64;
  std::vector<float> first = std::vector<float>(12 * columns), second = std::vector<float>(7 * columns);
  std::vector<float> inputs = std::vector<float>(samples * columns), means = std::vector<float>(columns);
  std::vector<float> hessian = std::vector<float>(columns * columns);

  explicit TwoModules(unsigned seed, float outlier = 30) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    for (float& weight : first) weight = normal(random);
    for (float& weight : second) weight = normal(random);
    for (std::size_t s = 0; s < samples; ++s)
      for (std::size_t j = 0; j < columns; ++j) inputs[s * columns + j] = normal(random) * (j % 16 == 5 ? outlier : 1);
    for (std::size_t s = 0; s < samples; ++s)
      for (std::size_t i = 0; i < columns; ++i) {
        means[i] += std::abs(inputs[s * columns + i]) / samples;
        for (std::size_t j = 0; j < columns; ++j)
          hessian[i * columns + j] += 2 * inputs[s * columns + i] * inputs[s * columns + j] / samples;
      }
  }
  std::vector<WeightView> weights() const { return {{first.data(), 12, columns}, {second.data(), 7, columns}}; }
  InputView rows() const { return {inputs.data(), samples, columns, false}; }
  InputView square() const { return {hessian.data(), columns, columns, true}; }
};

CodeGrid four_bit_grid(bool symmetric = true) {
  CodeGrid grid;
  grid.bits = 4;
  grid.group_size = 16;
  grid.symmetric = symmetric;
  return grid;
}

/// Σ_s (x_s·(w − Q(w·f)/f))² / S, mean over rows of weights.
double reference_error(const TwoModules& site, const std::vector<double>& factors, const CodeGrid& grid) {
  double sum = 0;
  std::vector<float> all = site.first;
  all.insert(all.end(), site.second.begin(), site.second.end());
  const std::size_t rows = all.size() / TwoModules::columns;
  for (std::size_t o = 0; o < rows; ++o) {
    std::vector<float> smoothed;
    for (std::size_t j = 0; j < TwoModules::columns; ++j)
      smoothed.push_back(all[o * TwoModules::columns + j] * static_cast<float>(factors[j]));
    CodedRow coded(TwoModules::columns, grid);
    quantize::round_row(smoothed, grid, {}, coded);
    for (std::size_t s = 0; s < TwoModules::samples; ++s) {
      double output = 0;
      for (std::size_t j = 0; j < TwoModules::columns; ++j)
        output += static_cast<double>(site.inputs[s * TwoModules::columns + j]) *
                  (static_cast<double>(all[o * TwoModules::columns + j]) -
                   quantize::restored(coded.codes[j], coded.scales[j / 16]) / factors[j]);
      sum += output * output / TwoModules::samples;
    }
  }
  return sum / static_cast<double>(rows);
}

TEST(Awq, ChoosesTheExponentOfASearchInPlainLoops) {
  for (unsigned seed = 1; seed <= 3; ++seed) {
    const TwoModules site(seed);
    const CodeGrid grid = four_bit_grid(seed != 2);
    double least = std::numeric_limits<double>::infinity(), exponent = 0;
    for (int k = 0; k < 20; ++k) {
      std::vector<double> factors;
      double low = std::numeric_limits<double>::infinity(), high = 0;
      for (const float mean : site.means) {
        factors.push_back(std::pow(static_cast<double>(mean), k / 20.0));
        low = std::min(low, factors.back());
        high = std::max(high, factors.back());
      }
      for (double& factor : factors) factor = static_cast<double>(static_cast<float>(factor / std::sqrt(low * high)));
      const double error = reference_error(site, factors, grid);
      if (error < least) least = error, exponent = k / 20.0;
    }
    const Smoothing found = quantize::best_smoothing(site.weights(), site.means, site.rows(), grid, {}, {});
    EXPECT_EQ(found.exponent, exponent) << seed;
    EXPECT_NEAR(found.error, least, 1e-4 * least) << seed;
    EXPECT_NEAR(found.rounding_error, reference_error(site, std::vector<double>(32, 1.0), grid), 1e-4 * least);
    EXPECT_LT(found.error, .8 * found.rounding_error);  // an outlier is what smoothing is for
  }
}

TEST(Awq, ErrorsOfTheHessianAndOfItsRowsAgree) {
  const TwoModules site(4);
  std::vector<float> factors(32);
  for (std::size_t j = 0; j < 32; ++j) factors[j] = std::sqrt(site.means[j]);
  const double by_rows = quantize::output_error(site.weights(), factors, site.rows(), four_bit_grid());
  EXPECT_NEAR(quantize::output_error(site.weights(), factors, site.square(), four_bit_grid()), by_rows, 1e-4 * by_rows);
}

TEST(Awq, IsNeverWorseThanRounding) {
  for (unsigned seed = 1; seed <= 8; ++seed)
    for (const bool weight_scaling : {false, true}) {
      const TwoModules site(seed, 1);  // nothing to smooth
      const Smoothing found = quantize::best_smoothing(site.weights(), site.means, site.square(), four_bit_grid(), {},
                                                       {20, weight_scaling});
      EXPECT_LE(found.error, found.rounding_error);
      EXPECT_EQ(found.error, quantize::output_error(site.weights(), found.factors, site.square(), four_bit_grid()));
    }
}

TEST(Awq, FactorsAreThePowerOfTheMeanOverItsMiddle) {
  // One weight of 1 beside small ones: r = 1/2 with means 1 and 100 gives 1 and 10 over sqrt(10).
  const std::vector<float> weight{1, .03f}, means{1, 100}, inputs{0, 100};
  CodeGrid grid;
  grid.bits = 4;
  const std::vector<WeightView> weights{{weight.data(), 1, 2}};
  const Smoothing found = quantize::best_smoothing(weights, means, {inputs.data(), 1, 2, false}, grid, {}, {2, false});
  // Unsmoothed .03 rounds to 0 (scale 1/7): error 9. Smoothed .0949 at scale .3162/7 rounds to 2: (.03 - .0286)² · 1e4.
  EXPECT_EQ(found.exponent, .5);
  EXPECT_NEAR(static_cast<double>(found.factors[0]), std::sqrt(.1), 1e-6);
  EXPECT_NEAR(static_cast<double>(found.factors[1]), std::sqrt(10.0), 1e-6);
  EXPECT_NEAR(found.rounding_error, 9, 1e-4);
  EXPECT_NEAR(found.error, 1e4 * (.03 - .2 / 7) * (.03 - .2 / 7), 1e-4);
}

TEST(Awq, QueryHeadsOfOneKvHeadShareTheirFactors) {
  const TwoModules site(5);
  // 4 query heads of 8 channels, 2 kv heads: channel c of heads 0 and 1 is one, and of heads 2 and 3.
  const Smoothing found =
      quantize::best_smoothing(site.weights(), site.means, site.rows(), four_bit_grid(), {8, 2}, {});
  ASSERT_GT(found.exponent, 0);
  for (std::size_t kv = 0; kv < 2; ++kv)
    for (std::size_t c = 0; c < 8; ++c) {
      const std::size_t channel = kv * 16 + c;
      EXPECT_EQ(found.factors[channel], found.factors[channel + 8]);
      const double mean = (static_cast<double>(site.means[channel]) + static_cast<double>(site.means[channel + 8])) / 2;
      EXPECT_NEAR(std::log(static_cast<double>(found.factors[channel] / found.factors[0])),
                  found.exponent * std::log(mean / ((static_cast<double>(site.means[0] + site.means[8])) / 2)), 1e-4);
    }
  EXPECT_NE(found.factors[5], found.factors[4]);
}

TEST(Awq, DeadInputsAndWhatIsNotFinite) {
  TwoModules site(6);
  const std::vector<float> zeros(32, 0.0f);
  const Smoothing none = quantize::best_smoothing(site.weights(), zeros, site.rows(), four_bit_grid(), {}, {});
  EXPECT_EQ(none.factors, std::vector<float>(32, 1.0f));
  std::vector<float> means = site.means;
  means[7] = 0;  // a channel that was never seen keeps a factor above 0
  for (const float factor :
       quantize::best_smoothing(site.weights(), means, site.rows(), four_bit_grid(), {}, {}).factors)
    EXPECT_GT(factor, 0);
  means[7] = -1;
  EXPECT_THROW(quantize::best_smoothing(site.weights(), means, site.rows(), four_bit_grid(), {}, {}),
               std::invalid_argument);
  site.inputs[3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(quantize::best_smoothing(site.weights(), site.means, site.rows(), four_bit_grid(), {}, {}),
               std::invalid_argument);
  site.first[0] = std::numeric_limits<float>::infinity();
  EXPECT_THROW(quantize::output_error(site.weights(), zeros, site.square(), four_bit_grid()), std::invalid_argument);
}

}  // namespace

}  // namespace retort::golden
