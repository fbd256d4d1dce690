// prune.ffn_ls: published numbers, numbers from the normal equations with numpy, and brute force by full least squares.
#include "ffn_ls.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

#include "hessian_inverse.h"
#include "matrices.h"

namespace retort::golden {

namespace {

using prune::ReconstructedDown;
using prune::ReconstructionOptions;
using Kept = std::vector<std::int64_t>;

ReconstructedDown reconstructed(const Matrix& down, const Matrix& hessian, std::int64_t stay,
                                const ReconstructionOptions& options = {0, .01, 1}) {
  const std::vector<float> values = row_major(hessian);
  const auto size = static_cast<std::int64_t>(hessian.size());
  return prune::reconstructed(row_major(down), {values.data(), size, size}, stay, options);
}

void expect_weights(const ReconstructedDown& found, const Matrix& expected) {
  const std::vector<float> values = row_major(expected);
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(found.weights[i], values[i], 2e-6F) << i;
}

/// The least Σ (w − ŵ)·H·(w − ŵ) with ŵ on `kept` alone: the normal equations, by elimination.
double least_error(const Matrix& down, const Matrix& hessian, const Kept& kept) {
  double error = 0;
  for (const std::vector<double>& row : down) {
    const std::size_t n = kept.size();
    Matrix a(n, std::vector<double>(n + 1));
    std::vector<double> product(row.size(), 0.0);  // H·w
    for (std::size_t i = 0; i < row.size(); ++i)
      for (std::size_t j = 0; j < row.size(); ++j) product[i] += hessian[i][j] * row[j];
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j)
        a[i][j] = hessian[static_cast<std::size_t>(kept[i])][static_cast<std::size_t>(kept[j])];
      a[i][n] = product[static_cast<std::size_t>(kept[i])];
    }
    for (std::size_t k = 0; k < n; ++k)
      for (std::size_t i = 0; i < n; ++i) {
        if (i == k) continue;
        const double factor = a[i][k] / a[k][k];
        for (std::size_t j = k; j <= n; ++j) a[i][j] -= factor * a[k][j];
      }
    for (std::size_t i = 0; i < row.size(); ++i) error += row[i] * product[i];
    for (std::size_t i = 0; i < n; ++i)  // w·H·w − ŵ·H·w
      error -= a[i][n] / a[i][i] * product[static_cast<std::size_t>(kept[i])];
  }
  return error;
}

Matrix hessian_of_related(std::size_t columns, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  Matrix hessian(columns, std::vector<double>(columns, 0.0));
  std::vector<double> x(columns);
  for (std::size_t s = 0; s < 3 * columns; ++s) {
    const double shared = normal(random);
    for (double& value : x) value = normal(random) + shared;
    for (std::size_t i = 0; i < columns; ++i)
      for (std::size_t j = 0; j < columns; ++j) hessian[i][j] += x[i] * x[j] / static_cast<double>(columns);
  }
  return hessian;
}

Matrix random_down(std::size_t rows, std::size_t columns, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  Matrix down(rows, std::vector<double>(columns));
  for (auto& row : down)
    for (double& weight : row) weight = static_cast<double>(static_cast<float>(normal(random)));
  return down;
}

double whole(const Matrix& down, const Matrix& hessian) {
  return least_error(down, hessian, {});
}

TEST(FfnLsGolden, OneChannelGoes) {
  // Golden "channel_removal_least_squares" (mazumder-lab/OSSCAR prune_algo.py:42-120).
  const Matrix hessian{{2, .5, .3}, {.5, 1, .8}, {.3, .8, 1.5}}, down{{1, .4, -.6}, {-.5, .8, .2}};
  compression::ColumnRemoval removal(
      compression::inverse_of(
          compression::damped_factor({row_major(hessian).data(), 3, 3}, std::vector<std::int64_t>{0, 1, 2},
                                     {0, .01, compression::ColumnOrder::stored})
              .values,
          3),
      {{1, -.5}, {.4, .8}, {-.6, .2}});
  const std::vector<double> costs = removal.costs();
  const double expected[] = {2.172965116279, .410996563574, .341714285714};
  for (std::size_t j = 0; j < 3; ++j) EXPECT_NEAR(costs[j], expected[j], 1e-6) << j;  // the Hessian is of f32
  const ReconstructedDown found = reconstructed(down, hessian, 2);
  EXPECT_EQ(found.kept, (Kept{0, 1}));
  expect_weights(found, {{1.034285714286, -.097142857143, 0}, {-.511428571429, .965714285714, 0}});
  EXPECT_NEAR(found.error * whole(down, hessian), .341714285714, 1e-6);
}

const Matrix own_hessian{
    {58, 9, 8, 6, -6}, {9, 47, 5, 8, -29}, {8, 5, 70, -13, -22}, {6, 8, -13, 38, -14}, {-6, -29, -22, -14, 61}};
const Matrix own_down{{-1.3, 0, 0, -.3, -1}, {-.4, -1.1, -1.4, .2, -1.1}};

TEST(FfnLsGolden, TwoOfFiveGo) {
  // Own numbers: greedy by the normal equations of every candidate, with numpy. All ten choices of three: the same
  // three.
  const ReconstructedDown found = reconstructed(own_down, own_hessian, 3);
  EXPECT_EQ(found.kept, (Kept{0, 2, 4}));
  expect_weights(found, {{-1.333345101172, 0, .090377933444, 0, -.901832066742},
                         {-.506626841822, 0, -1.351384269496, 0, -.615905163604}});
  EXPECT_NEAR(found.error, 42.844173711886 / 319.82, 1e-7);
}

TEST(FfnLsGolden, WithDamping) {
  // Own numbers, likewise, with a tenth of the mean diagonal added: two stay.
  const ReconstructedDown found = reconstructed(own_down, own_hessian, 2, {.1, .01, 1});
  EXPECT_EQ(found.kept, (Kept{0, 2}));
  expect_weights(found, {{-1.276770663651, 0, .340675216073, 0, 0}, {-.460774151013, 0, -1.180257111710, 0, 0}});
  EXPECT_NEAR(found.error, .354148190636, 1e-7);
}

TEST(FfnLs, IsTheBestOfEachStepAndTheLeastSquaresOfWhatStays) {
  // Brute force: of every channel that is left the full least squares without it.
  const Matrix hessian = hessian_of_related(12, 1), down = random_down(5, 12, 2);
  Kept kept;
  for (std::int64_t j = 0; j < 12; ++j) kept.push_back(j);
  while (kept.size() > 4) {
    Kept best;
    double least = std::numeric_limits<double>::infinity();
    for (const std::int64_t gone : kept) {
      Kept candidate = kept;
      std::erase(candidate, gone);
      const double error = least_error(down, hessian, candidate);
      if (error < least) least = error, best = candidate;
    }
    kept = best;
    const ReconstructedDown found = reconstructed(down, hessian, static_cast<std::int64_t>(kept.size()));
    EXPECT_EQ(found.kept, kept);
    EXPECT_NEAR(found.error * whole(down, hessian), least, 1e-5 * least + 1e-6);
  }
}

TEST(FfnLs, SeveralAtOnceAreStillTheLeastSquaresOfWhatStays) {
  const Matrix hessian = hessian_of_related(150, 3),
               down = random_down(7, 150, 4);  // more than two blocks of the factor
  for (const std::int64_t at_once : {1, 7, 60}) {
    const ReconstructedDown found = reconstructed(down, hessian, 90, {0, .01, at_once});
    ASSERT_EQ(found.kept.size(), 90U);
    const double least = least_error(down, hessian, found.kept);
    EXPECT_NEAR(found.error * whole(down, hessian), least, 1e-4 * least) << at_once;
    double without = 0;  // the same channels, the others as they were
    for (const auto& row : down)
      for (std::size_t i = 0; i < 150; ++i)
        for (std::size_t j = 0; j < 150; ++j)
          if (found.weights[i] == 0 && found.weights[j] == 0) without += row[i] * hessian[i][j] * row[j];
    EXPECT_LT(least, .75 * without) << at_once;
  }
}

TEST(FfnLs, AllThatStayAreTheWeightsToTheBit) {
  const Matrix down = random_down(3, 8, 5);
  const ReconstructedDown found = reconstructed(down, hessian_of_related(8, 6), 8);
  EXPECT_EQ(found.weights, row_major(down));
  EXPECT_EQ(found.error, 0);
}

TEST(FfnLs, RaisesTheDampingOfASingularHessianAndRefusesOneThatStaysSo) {
  const Matrix one_input(3, std::vector<double>(3, 2.0)), down{{1, 2, 3}};
  const ReconstructedDown raised = reconstructed(down, one_input, 2, {0, .05, 1});
  EXPECT_EQ(raised.raises, 1);
  EXPECT_EQ(raised.damping, .05);
  EXPECT_THROW(reconstructed(down, {{1, 9, 9}, {9, 1, 9}, {9, 9, 1}}, 2, {0, .1, 1}), compression::SingularHessian);
  EXPECT_THROW(reconstructed({{1, std::nan(""), 3}}, one_input, 2), std::invalid_argument);
}

TEST(FfnLs, CountsWhatStays) {
  EXPECT_EQ(prune::channels_that_stay(1536, .25, 0, 8), 1152);
  EXPECT_EQ(prune::channels_that_stay(1536, .2, 0, 8), 1232);  // 1228.8
  EXPECT_EQ(prune::channels_that_stay(12, .999, 0, 8), 8);
  EXPECT_EQ(prune::channels_that_stay(3, .999, 0, 8), 3);
  EXPECT_EQ(prune::channels_that_stay(3, .999, 0, 1), 1);
  EXPECT_EQ(prune::channels_that_stay(12, 0, 0, 8), 12);
  EXPECT_EQ(prune::channels_that_stay(12, .5, 5, 8), 5);
  EXPECT_THROW(prune::channels_that_stay(12, .5, 13, 8), std::invalid_argument);
}

}  // namespace

}  // namespace retort::golden
