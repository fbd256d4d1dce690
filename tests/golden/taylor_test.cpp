// prune.taylor: numbers worked out by hand, and a loss whose expansion is known.
#include "taylor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

namespace retort::golden {

namespace {

using prune::TaylorImportance;
using prune::TaylorMeasure;
using Values = std::vector<float>;

Values importance(TaylorMeasure measure, std::int64_t columns, const Values& weights, const Values& gradients,
                  std::int64_t group = 1) {
  TaylorImportance sums(measure, columns);
  sums.add(weights, gradients);
  return sums.of_groups(group);
}

const Values weights{1, -2, .5f, 3, 1, -1}, gradients{.5f, .25f, -2, -.5f, 2, 1};  // [2,3]

TEST(TaylorGolden, SumsOverWhatReadsAChannel) {
  // w·g: (.5, −.5, −1), (−1.5, 2, −1).
  EXPECT_EQ(importance(TaylorMeasure::first_order, 3, weights, gradients), (Values{1, 1.5f, 2}));
  EXPECT_EQ(importance(TaylorMeasure::elements, 3, weights, gradients), (Values{2, 2.5f, 2}));
  EXPECT_EQ(importance(TaylorMeasure::first_order, 3, weights, gradients, 3), Values{1.5f});
}

TEST(TaylorGolden, FisherIsHalfTheSecondOrder) {
  // w²·f/2 with f = (1,2,4; 2,1,.5): (.5 + 9, 4 + .5, .5 + .25).
  EXPECT_EQ(importance(TaylorMeasure::fisher, 3, weights, {1, 2, 4, 2, 1, .5f}), (Values{9.5f, 4.5f, .75f}));
}

TEST(TaylorGolden, AddsMatricesUp) {
  TaylorImportance sums(TaylorMeasure::first_order, 2);
  sums.add(Values{1, 2}, Values{3, 4});
  sums.add(Values{1, -2}, Values{1, 5});
  EXPECT_EQ(sums.of_groups(1), (Values{4, 2}));
}

TEST(Taylor, IsTheLossOfAFactorOnTheChannel) {
  // L = ½·Σ_o (Σ_c w_oc·a_c − t_o)²: the derivative by a factor on a_c, by a central difference.
  const double w[2][3] = {{.7, -.2, 1.1}, {-.4, .9, .3}}, a[3] = {1.5, -.5, .8}, t[2] = {.3, -1.2};
  const auto loss = [&](int channel, double factor) {
    double sum = 0;
    for (int o = 0; o < 2; ++o) {
      double out = -t[o];
      for (int c = 0; c < 3; ++c) out += w[o][c] * a[c] * (c == channel ? factor : 1);
      sum += out * out / 2;
    }
    return sum;
  };
  Values flat, slopes;
  for (int o = 0; o < 2; ++o) {
    double out = -t[o];
    for (int c = 0; c < 3; ++c) out += w[o][c] * a[c];
    for (int c = 0; c < 3; ++c) {
      flat.push_back(static_cast<float>(w[o][c]));
      slopes.push_back(static_cast<float>(out * a[c]));  // ∂L/∂w_oc
    }
  }
  const Values found = importance(TaylorMeasure::first_order, 3, flat, slopes);
  for (int c = 0; c < 3; ++c)
    EXPECT_NEAR(static_cast<double>(found[static_cast<std::size_t>(c)]),
                std::abs(loss(c, 1 + 1e-4) - loss(c, 1 - 1e-4)) / 2e-4, 1e-6);
}

TEST(Taylor, RefusesWhatIsNotFinite) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(importance(TaylorMeasure::elements, 2, {1, nan}, {1, 1}), std::invalid_argument);
  EXPECT_THROW(importance(TaylorMeasure::elements, 2, {1, 1}, {nan, 1}), std::invalid_argument);
}

}  // namespace

}  // namespace retort::golden
