// preference.dpo: numbers computed in float64 outside this project (Python, math.log1p and math.exp, from the equations
// that pair_loss.h cites), and central differences.
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <vector>

#include "central_differences.h"
#include "preference_pair.h"

namespace retort::golden {

namespace {

using preference::DpoOptions;
using preference::Form;
using preference::pair_loss;
using preference::PairLoss;

TEST(DpoGolden, PolicyEqualToTheReferenceGivesLogTwo) {
  const PairLoss found = pair_loss({}, {-5, -5, 3}, {-9, -9, 4});
  EXPECT_NEAR(found.loss, .693147180560, 1e-12);
  EXPECT_NEAR(found.by_chosen, -.05, 1e-12);
  EXPECT_NEAR(found.by_rejected, .05, 1e-12);
}

TEST(DpoGolden, Sigmoid) {
  const PairLoss found = pair_loss({}, chosen, rejected);
  EXPECT_NEAR(found.loss, .589185018951, 1e-12);
  EXPECT_NEAR(found.by_chosen, -.044522076489, 1e-12);
  EXPECT_NEAR(found.by_rejected, .044522076489, 1e-12);
  EXPECT_NEAR(found.chosen_reward, .08, 1e-12);
  EXPECT_NEAR(found.rejected_reward, -.14, 1e-12);
}

TEST(DpoGolden, LabelSmoothing) {
  DpoOptions options;
  options.label_smoothing = .1;
  const PairLoss found = pair_loss(options, chosen, rejected);
  EXPECT_NEAR(found.loss, .611185018951, 1e-12);
  EXPECT_NEAR(found.by_chosen, -.034522076489, 1e-12);
}

TEST(DpoGolden, Ipo) {
  DpoOptions options;
  options.form = Form::ipo;
  PairLoss found = pair_loss(options, chosen, rejected);  // (2.2 − 5)²
  EXPECT_NEAR(found.loss, 7.84, 1e-12);
  EXPECT_NEAR(found.by_chosen, -5.6, 1e-12);
  options.by_length = true;  // (.8/8 + 1.4/5 − 5)²
  found = pair_loss(options, chosen, rejected);
  EXPECT_NEAR(found.loss, 21.3444, 1e-12);
  EXPECT_NEAR(found.by_chosen, -1.155, 1e-12);
  EXPECT_NEAR(found.by_rejected, 1.848, 1e-12);
}

TEST(DpoGolden, SimPo) {
  DpoOptions options;
  options.beta = 2;
  options.margin = .5;
  options.reference = false;
  options.by_length = true;
  const PairLoss found = pair_loss(options, chosen, rejected);
  EXPECT_NEAR(found.loss, .043634951571, 1e-12);
  EXPECT_NEAR(found.by_chosen, -.010674161055, 1e-12);
  EXPECT_NEAR(found.chosen_reward, 2 * -14.2 / 8, 1e-12);
}

TEST(Dpo, DerivativesMatchCentralDifferences) {
  for (const Form form : {Form::sigmoid, Form::ipo})
    for (const bool by_length : {false, true}) {
      DpoOptions options;
      options.form = form;
      options.by_length = by_length;
      options.label_smoothing = form == Form::sigmoid ? .2 : 0;
      options.margin = form == Form::sigmoid ? .3 : 0;
      const auto loss = [&](const std::vector<double>& x) {
        return pair_loss(options, {x[0], -15, 8}, {x[1], -16.5, 5}).loss;
      };
      const PairLoss found = pair_loss(options, chosen, rejected);
      const auto expected = central_differences(loss, {-14.2, -17.9});
      EXPECT_NEAR(found.by_chosen, expected[0], 1e-8);
      EXPECT_NEAR(found.by_rejected, expected[1], 1e-8);
    }
}

TEST(Dpo, FarApartNeitherOverflowsNorLosesItsSlope) {
  const PairLoss lost = pair_loss({}, {-9e4, 0, 1}, {0, 0, 1}), won = pair_loss({}, {0, 0, 1}, {-9e4, 0, 1});
  EXPECT_NEAR(lost.loss, 9e3, 1e-9);
  EXPECT_NEAR(lost.by_chosen, -.1, 1e-12);
  EXPECT_EQ(won.loss, 0);
  EXPECT_EQ(won.by_chosen, 0);
}

TEST(Dpo, WhatDoesNotFitIsRefused) {
  DpoOptions options;
  options.by_length = true;
  EXPECT_THROW(pair_loss(options, {-1, -1, 0}, rejected), std::invalid_argument);
  options.form = Form::ipo;
  EXPECT_NO_THROW(check(options));
  options.label_smoothing = .1;
  EXPECT_THROW(check(options), std::invalid_argument);
  options.label_smoothing = 0;
  options.margin = 1;
  EXPECT_THROW(check(options), std::invalid_argument);
}

}  // namespace

}  // namespace retort::golden
