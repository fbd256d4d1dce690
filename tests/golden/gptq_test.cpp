// quantize.gptq: published numbers, and the paper's own form (U = chol(H⁻¹), upper) as the slow reference.
#include "gptq.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

#include "matrices.h"

namespace retort::golden {

namespace {

using compression::ColumnOrder;
using compression::FactorOptions;
using compression::HessianFactor;
using compression::HessianView;
using quantize::CodedRow;
using quantize::CodeGrid;
using quantize::GptqOptions;

HessianView view_of(const std::vector<float>& values) {
  const auto size = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(values.size()))));
  return {values.data(), size, size};
}

std::vector<float> random_row(std::size_t columns, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> row(columns);
  for (float& weight : row) weight = normal(random);
  return row;
}

struct Result {
  CodedRow coded;
  double error;
  double restored(std::size_t column, const CodeGrid& grid) const {
    const auto width = static_cast<std::size_t>(grid.width(static_cast<std::int64_t>(coded.codes.size())));
    return quantize::restored(coded.codes[column], coded.scales[column / width]);
  }
};

Result gptq(const std::vector<float>& row, const Matrix& hessian, const CodeGrid& grid, const FactorOptions& factor,
            const GptqOptions& options = {}) {
  const std::vector<float> values = row_major(hessian);
  const auto columns = static_cast<std::int64_t>(row.size());
  const HessianFactor found(view_of(values), grid.width(columns), factor);
  Result result{CodedRow(columns, grid), 0};
  const std::span<const float> rows[] = {row};
  quantize::gptq_rows(found, grid, options, rows, {&result.coded, 1}, {&result.error, 1});
  return result;
}

double quadratic(const std::vector<float>& row, const Result& result, const Matrix& hessian, const CodeGrid& grid) {
  double sum = 0;
  for (std::size_t i = 0; i < row.size(); ++i)
    for (std::size_t j = 0; j < row.size(); ++j)
      sum += (static_cast<double>(row[i]) - result.restored(i, grid)) * hessian[i][j] *
             (static_cast<double>(row[j]) - result.restored(j, grid));
  return sum;
}

Result rounded(const std::vector<float>& row, const CodeGrid& grid) {
  Result result{CodedRow(static_cast<std::int64_t>(row.size()), grid), 0};
  quantize::round_row(row, grid, {}, result.coded);
  return result;
}

Matrix inverse(Matrix a) {
  const std::size_t n = a.size();
  Matrix result(n, std::vector<double>(n, 0.0));
  for (std::size_t i = 0; i < n; ++i) result[i][i] = 1;
  for (std::size_t k = 0; k < n; ++k) {
    const double pivot = a[k][k];
    for (std::size_t j = 0; j < n; ++j) a[k][j] /= pivot, result[k][j] /= pivot;
    for (std::size_t i = 0; i < n; ++i) {
      const double factor = i == k ? 0 : a[i][k];
      for (std::size_t j = 0; j < n; ++j) a[i][j] -= factor * a[k][j], result[i][j] -= factor * result[k][j];
    }
  }
  return result;
}

/// Upper U with a = Uᵀ·U.
Matrix cholesky_upper(const Matrix& a) {
  Matrix u(a.size(), std::vector<double>(a.size(), 0.0));
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t j = i; j < a.size(); ++j) {
      double value = a[i][j];
      for (std::size_t k = 0; k < i; ++k) value -= u[k][i] * u[k][j];
      u[i][j] = i == j ? std::sqrt(value) : value / u[i][i];
    }
  return u;
}

/// Algorithm 1 of arXiv 2210.17323 for one row, in f64, in the order given.
std::vector<std::int32_t> reference(const std::vector<float>& row, const Matrix& hessian, const CodeGrid& grid,
                                    double damping, const std::vector<std::int64_t>& order, bool static_groups) {
  const std::size_t n = row.size();
  const auto column = [&](std::size_t place) { return static_cast<std::size_t>(order[place]); };
  double mean = 0;
  for (std::size_t i = 0; i < n; ++i) mean += hessian[i][i] / static_cast<double>(n);
  Matrix placed(n, std::vector<double>(n));
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) placed[i][j] = hessian[column(i)][column(j)] + (i == j ? damping * mean : 0);
  const Matrix u = cholesky_upper(inverse(placed));
  const auto width = static_cast<std::size_t>(grid.width(static_cast<std::int64_t>(n)));
  std::vector<double> w(n);
  for (std::size_t i = 0; i < n; ++i) w[i] = static_cast<double>(row[column(i)]);
  CodedRow coded(static_cast<std::int64_t>(n), grid);
  quantize::row_scales(row, grid, {}, coded.scales);
  for (std::size_t i = 0; i < n; ++i) {
    quantize::GroupScale& scale = coded.scales[column(i) / width];
    if (!static_groups && i % width == 0)
      scale = quantize::group_scale(std::vector<float>(w.begin() + static_cast<std::ptrdiff_t>(i),
                                                       w.begin() + static_cast<std::ptrdiff_t>(i + width)),
                                    grid);
    coded.codes[column(i)] = quantize::code_of(w[i], scale, grid);
    const double error = (w[i] - quantize::restored(coded.codes[column(i)], scale)) / u[i][i];
    for (std::size_t j = i; j < n; ++j) w[j] -= error * u[i][j];
  }
  return coded.codes;
}

CodeGrid in_four_bits(std::int64_t group, bool symmetric = true) {
  CodeGrid grid;
  grid.bits = 4;
  grid.group_size = group;
  grid.symmetric = symmetric;
  return grid;
}

/// The error that compensation leaves, without damping.
const FactorOptions undamped{0, .01, ColumnOrder::stored};

TEST(GptqGolden, UnitGrid) {
  // H = [[2,1],[1,2]], w = [.6,.6]: [1,0] with error .56, rounding [1,1] with .96. A column of its own, 7, makes the
  // scale 1.
  const Matrix hessian{{2, 1, 0}, {1, 2, 0}, {0, 0, 1}};
  const std::vector<float> row{.6f, .6f, 7};
  const CodeGrid grid = in_four_bits(0);
  const Result found = gptq(row, hessian, grid, undamped);
  EXPECT_EQ(found.coded.scales[0].scale, 1);
  EXPECT_EQ(found.coded.codes, (std::vector<std::int32_t>{1, 0, 7}));
  EXPECT_NEAR(found.error, .56, 1e-6);
  EXPECT_EQ(rounded(row, grid).coded.codes, (std::vector<std::int32_t>{1, 1, 7}));
  EXPECT_NEAR(quadratic(row, rounded(row, grid), hessian, grid), .96, 1e-6);
}

// Golden "gptq_static_groups_and_act_order", computed by least squares over the columns that are left at each step.
// A fifth and a sixth column, on their own, give the groups their scales .2 and .4.
const Matrix golden_hessian{{8.37, .01, 0, -2.39, -4.77, 0}, {.01, 8.78, 0, 3.73, .93, 0},   {0, 0, 1, 0, 0, 0},
                            {-2.39, 3.73, 0, 7.36, 3.17, 0}, {-4.77, .93, 0, 3.17, 6.44, 0}, {0, 0, 0, 0, 0, 1}};
const std::vector<float> golden_row{.29f, .09f, 1.4f, -.57f, -2.5f, 2.8f};

void expect_golden(const Result& found, const std::vector<double>& values, double error, const CodeGrid& grid) {
  const std::size_t columns[] = {0, 1, 3, 4};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(found.restored(columns[i], grid), values[i], 1e-6) << i;
  EXPECT_NEAR(quadratic(golden_row, found, golden_hessian, grid), error, 2e-6);
}

TEST(GptqGolden, StaticGroupsInStoredAndActivationOrder) {
  const CodeGrid grid = in_four_bits(3);
  const std::vector<double> diagonal{8.37, 8.78, 7.36, 6.44};
  EXPECT_EQ(compression::column_order(diagonal, ColumnOrder::activation, 2), (std::vector<std::int64_t>{1, 0, 2, 3}));
  expect_golden(rounded(golden_row, grid), {.2, 0, -.4, -2.4}, .552077, grid);
  expect_golden(gptq(golden_row, golden_hessian, grid, undamped), {.2, 0, -.4, -2.8}, .359677, grid);
  const FactorOptions by_activation{0, .01, ColumnOrder::activation};
  const Result found = gptq(golden_row, golden_hessian, grid, by_activation);
  expect_golden(found, {.4, 0, -.4, -2.4}, .231877, grid);
  EXPECT_NEAR(found.error, .231877, 2e-6);
}

TEST(GptqGolden, GroupAwareOrder) {
  // Golden "group_aware_order" (GPTQModel@f4c327a17 quantization/gar.py:36-120).
  const std::vector<double> diagonal{1, 9, 2, 3, 8, 7, 10, .5};
  EXPECT_EQ(compression::column_order(diagonal, ColumnOrder::grouped_activation, 4),
            (std::vector<std::int64_t>{6, 4, 5, 7, 1, 3, 2, 0}));
}

TEST(Gptq, EqualsThePapersFormOverBlocksTilesAndGroups) {
  constexpr std::size_t columns = 144;
  const Matrix hessian = random_hessian(columns, 400, 1);
  for (const ColumnOrder order : {ColumnOrder::stored, ColumnOrder::activation, ColumnOrder::grouped_activation})
    for (const bool symmetric : {true, false})
      for (const bool static_groups : {true, false}) {
        if (!static_groups && order == ColumnOrder::activation) continue;
        const CodeGrid grid = in_four_bits(16, symmetric);
        const FactorOptions factor{.01, .01, order};
        std::vector<double> diagonal(columns);
        for (std::size_t i = 0; i < columns; ++i)  // as the f32 that the factor sees
          diagonal[i] = static_cast<double>(static_cast<float>(hessian[i][i]));
        const auto places = compression::column_order(diagonal, order, 16);
        for (unsigned seed = 1; seed <= 3; ++seed) {
          const std::vector<float> row = random_row(columns, seed);
          const Result found = gptq(row, hessian, grid, factor, {static_groups, false, 40});
          EXPECT_EQ(found.coded.codes, reference(row, hessian, grid, .01, places, static_groups))
              << static_cast<int>(order) << symmetric << static_groups << seed;
        }
      }
}

TEST(Gptq, ItsErrorIsTheQuadraticFormAndLessThanRounding) {
  const Matrix hessian = random_hessian(96, 300, 2);
  Matrix damped = hessian;
  double mean = 0;
  for (std::size_t i = 0; i < 96; ++i) mean += hessian[i][i] / 96;
  for (std::size_t i = 0; i < 96; ++i) damped[i][i] += .05 * mean;
  const CodeGrid grid = in_four_bits(32);
  double gptq_error = 0, rounding_error = 0;  // of one row rounding may be lucky
  for (unsigned seed = 1; seed <= 20; ++seed) {
    const std::vector<float> row = random_row(96, seed);
    const Result found = gptq(row, hessian, grid, {.05, .01, ColumnOrder::activation});
    EXPECT_NEAR(found.error, quadratic(row, found, damped, grid), 1e-4 * found.error);
    gptq_error += quadratic(row, found, hessian, grid);
    rounding_error += quadratic(row, rounded(row, grid), hessian, grid);
  }
  EXPECT_LT(gptq_error, .8 * rounding_error);
}

TEST(Gptq, ADiagonalHessianIsRounding) {
  Matrix hessian(40, std::vector<double>(40, 0.0));
  for (std::size_t i = 0; i < 40; ++i) hessian[i][i] = 1 + static_cast<double>(i * 7 % 11);
  hessian[3][3] = 0;  // a dead column is rounded, too
  const std::vector<float> row = random_row(40, 3);
  for (const bool symmetric : {true, false})
    for (const std::int64_t group : {0, 8})
      for (const bool static_groups : {true, false}) {
        const CodeGrid grid = in_four_bits(group, symmetric);
        const Result found = gptq(row, hessian, grid, {.01, .01, ColumnOrder::grouped_activation}, {static_groups});
        const Result expected = rounded(row, grid);
        EXPECT_EQ(found.coded.codes, expected.coded.codes);
        for (std::size_t q = 0; q < expected.coded.scales.size(); ++q) {
          EXPECT_EQ(found.coded.scales[q].scale, expected.coded.scales[q].scale);
          EXPECT_EQ(found.coded.scales[q].zero_point, expected.coded.scales[q].zero_point);
        }
      }
  const Result zeroed = gptq(row, hessian, in_four_bits(8), {}, {true, true});
  EXPECT_EQ(zeroed.coded.codes[3], 0);
  EXPECT_NE(rounded(row, in_four_bits(8)).coded.codes[3], 0);
}

TEST(HessianFactor, RTimesItsTransposeIsTheMatrix) {
  constexpr std::size_t n = 150;  // more than two blocks
  const Matrix hessian = random_hessian(n, 400, 4);
  std::vector<double> a;
  for (const auto& row : hessian) a.insert(a.end(), row.begin(), row.end());
  ASSERT_TRUE(compression::factor_upper(a, n));
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = i; j < n; ++j) {
      double product = 0;
      for (std::size_t k = j; k < n; ++k) product += a[i * n + k] * a[j * n + k];
      ASSERT_NEAR(product, hessian[i][j], 1e-11 * hessian[0][0] * static_cast<double>(n)) << i << "," << j;
    }
}

TEST(HessianFactor, RaisesTheDampingWhereThereIsNoFactor) {
  const Matrix one_input(6, std::vector<double>(6, 2.0));  // rank one
  const std::vector<float> values = row_major(one_input);
  const HessianFactor damped(view_of(values), 6, {.01, .01, ColumnOrder::stored});
  EXPECT_EQ(damped.raises(), 0);
  const HessianFactor raised(view_of(values), 6, {0, .05, ColumnOrder::stored});
  EXPECT_EQ(raised.raises(), 1);
  EXPECT_EQ(raised.damping(), .05);
  // Indefinite by -.5: from 0 it takes a damping above .25 of the mean diagonal 2.
  const std::vector<float> indefinite{2, 2.5f, 2.5f, 2};
  const HessianFactor several(view_of(indefinite), 2, {0, .1, ColumnOrder::stored});
  EXPECT_EQ(several.raises(), 3);
  EXPECT_NEAR(several.damping(), .3, 1e-12);
  const std::vector<float> hopeless{1, 9, 9, 1};
  EXPECT_THROW(HessianFactor(view_of(hopeless), 2, {0, .1, ColumnOrder::stored}), compression::SingularHessian);
}

TEST(HessianFactor, RefusesWhatIsNoHessian) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> missing{1, nan, nan, 1}, negative{1, 0, 0, -1};
  EXPECT_THROW(HessianFactor(view_of(missing), 2, {}), std::invalid_argument);
  EXPECT_THROW(HessianFactor(view_of(negative), 2, {}), std::invalid_argument);
}

}  // namespace

}  // namespace retort::golden
