// The formulas of the losses over two distributions, and of uld: goldens_transfer.json (fkl_rkl_base, akl_second,
// taid_schedule, tvd, star_ckd, gold_hybrid), algorithms.md's pair of TRL, numbers computed in float64 outside this
// project (Python's math), some by hand, and derivatives against central differences in f64.
#include "divergences.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "abkd.h"
#include "akl.h"
#include "constrained.h"
#include "reference_losses.h"
#include "skew_kl.h"
#include "taid.h"
#include "tvd.h"
#include "uld.h"

namespace retort::golden {

namespace {

using Numbers = std::vector<double>;
using Formula = std::function<double(distill::LogProbs, distill::LogProbs, std::span<double>)>;
using namespace distill;

Numbers logs(const Numbers& p) {
  Numbers out;
  for (const double share : p) out.push_back(std::log(share));
  return out;
}

const Numbers teacher{.55, .25, .12, .05, .03}, student{.15, .3, .12, .18, .25};

double value(const Formula& formula, const Numbers& p = teacher, const Numbers& q = student) {
  Numbers by(q.size());
  const Numbers log_p = logs(p), log_q = logs(q);
  const double without = formula(log_p, log_q, {});
  EXPECT_EQ(formula(log_p, log_q, by), without);
  return without;
}

/// d value / d z of q = softmax(z): by_log_q through the softmax.
Numbers by_logits(const Formula& formula) {
  Numbers by(student.size());
  formula(logs(teacher), logs(student), by);
  double sum = 0;
  for (const double share : by) sum += share;
  for (std::size_t i = 0; i < by.size(); ++i) by[i] -= student[i] * sum;
  return by;
}

void expect_near(const Numbers& found, const Numbers& expected, double tolerance) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], tolerance) << i;
}

Formula jsd(double beta) {
  return [=](LogProbs p, LogProbs q, std::span<double> by) { return mixture_divergence(beta, p, q, by); };
}
Formula skewed(bool reverse, double alpha) {
  return [=](LogProbs p, LogProbs q, std::span<double> by) {
    return reverse ? skew_reverse(alpha, p, q, by) : skew_forward(alpha, p, q, by);
  };
}
Formula alpha_beta(double alpha, double beta) {
  return [=](LogProbs p, LogProbs q, std::span<double> by) { return alpha_beta_divergence(alpha, beta, p, q, by); };
}
Formula interpolated(double t) {
  return [=](LogProbs p, LogProbs q, std::span<double> by) { return taid(t, p, q, by); };
}
Formula adaptive(double mu) {
  return [=](LogProbs p, LogProbs q, std::span<double> by) { return akl(mu, p, q, by); };
}

}  // namespace

TEST(DivergenceGolden, ForwardAndReverseWithTheirGradients) {
  EXPECT_NEAR(value(forward_divergence), .541370653714, 1e-11);
  EXPECT_NEAR(value(reverse_divergence), .620437995652, 1e-11);
  expect_near(by_logits(forward_divergence), {-.4, .05, 0, .13, .22}, 1e-12);
  expect_near(by_logits(reverse_divergence),
              {-.287958146967, -.131434931657, -.0744525594782, .118889252966, .374956385137}, 1e-11);
}

TEST(DivergenceGolden, GeneralisedJensenShannon) {
  const Numbers p{.9, .1}, q{.1, .9};
  EXPECT_NEAR(value(jsd(.5), p, q), .368064, 1e-6);
  EXPECT_NEAR(value(jsd(.1), p, q), .146311, 1e-6);
  EXPECT_NEAR(value(jsd(0), p, q), 1.757780, 1e-6);
  EXPECT_NEAR(value(jsd(1), p, q), 1.757780, 1e-6);
  // By hand: m = [¾,¼], so ½·ln(4/3) + ½·(½·ln(2/3) + ½·ln 2).
  EXPECT_NEAR(value(jsd(.5), {1, 0}, {.5, .5}), .75 * std::log(4.0 / 3), 1e-14);
  EXPECT_NEAR(value(jsd(.25), {.5, .5}, {.25, .75}), .026048220951, 1e-12);
  EXPECT_NEAR(value(jsd(.5)), .130756636820, 1e-12);
  // GOLD's common tokens, of which neither sums to 1 ("gold_hybrid").
  EXPECT_NEAR(value(jsd(0), {.5, .2}, {.3, .3}), .174319790261, 1e-11);
  EXPECT_NEAR(value(jsd(.5), {.5, .2}, {.3, .3}), .0176674553485, 1e-11);
}

TEST(DivergenceGolden, SkewedKl) {
  const Numbers p{.9, .1}, q{.1, .9};
  EXPECT_NEAR(value(skewed(false, .1), p, q), 1.238081, 1e-6);
  EXPECT_NEAR(value(skewed(true, .1), p, q), 1.238081, 1e-6);
  EXPECT_NEAR(value(skewed(false, .1), {1, 0}, {.5, .5}), -std::log(.55), 1e-14);  // by hand
  EXPECT_NEAR(value(skewed(true, .1), {1, 0}, {.5, .5}), .5 * std::log(.5 / .95) + .5 * std::log(10), 1e-14);
  EXPECT_NEAR(value(skewed(false, .1)), .422070215949, 1e-12);
  EXPECT_NEAR(value(skewed(true, .1)), .446711646336, 1e-12);
  EXPECT_NEAR(value(skewed(false, 0)), .541370653714, 1e-11);
  EXPECT_NEAR(value(skewed(true, 0)), .620437995652, 1e-11);
}

TEST(DivergenceGolden, AlphaBeta) {
  EXPECT_NEAR(value(alpha_beta(1, 0)), .541370653714, 1e-11);
  EXPECT_NEAR(value(alpha_beta(0, 1)), .620437995652, 1e-11);
  EXPECT_NEAR(value(alpha_beta(.5, .5), {1, 0}, {.5, .5}), 4 * (1 - std::sqrt(.5)), 1e-14);  // by hand: Hellinger
  EXPECT_NEAR(value(alpha_beta(2, 1), {.5, .5}, {.25, .75}), 1.0 / 32, 1e-15);               // by hand
  EXPECT_NEAR(value(alpha_beta(.2, .7)), .693446108123, 1e-12);
  EXPECT_NEAR(value(alpha_beta(.5, .5)), .549758874948, 1e-12);
  EXPECT_NEAR(value(alpha_beta(2, 0)), .148013716802, 1e-12);
  EXPECT_NEAR(value(alpha_beta(0, 2)), .120846900287, 1e-12);
  EXPECT_NEAR(value(alpha_beta(1, 1e-6)), .541370653714, 1e-5);  // the limits are limits
  EXPECT_NEAR(value(alpha_beta(1e-6, 1)), .620437995652, 1e-5);
}

TEST(DivergenceGolden, AdaptiveKl) {
  EXPECT_NEAR(head_weight(.85, logs(teacher), logs(student)), .5625, 1e-12);
  EXPECT_NEAR(value(adaptive(.85)), .575962615812, 1e-11);
  EXPECT_NEAR(value(adaptive(.5)), (.541370653714 + .620437995652) / 2, 1e-11);  // the first is in: .4 of .8
  // By hand: μ ½ has the first alone in its head, |p − q| = [.1,.2,.3].
  EXPECT_NEAR(head_weight(.5, logs({.6, .3, .1}), logs({.5, .1, .4})), 1.0 / 6, 1e-12);
  EXPECT_NEAR(value(adaptive(.5), {.6, .3, .1}, {.5, .1, .4}), .344637645081, 1e-12);
  EXPECT_EQ(head_weight(.5, logs(teacher), logs(teacher)), .5);
  EXPECT_EQ(value(adaptive(.5), teacher, teacher), 0);
}

TEST(DivergenceGolden, InterpolatedTeacher) {
  EXPECT_NEAR(interpolation({.4, 1}, 1, 100), .406, 1e-12);  // "taid_schedule" at progress .01: the lower bound holds
  EXPECT_NEAR(interpolation({.4, 1}, 0, 100), .4, 1e-12);
  EXPECT_NEAR(value(interpolated(1)), .541370653714, 1e-11);
  EXPECT_NEAR(value(interpolated(.5), {.8, .2}, {.2, .8}), std::log(1.25), 1e-14);  // by hand: p_t = [½,½]
  expect_near(by_logits(interpolated(.4)),
              {-.14125357889848, -.02204769543945, -.01856472540437, .05548463551296, .12638136422934}, 1e-12);
  EXPECT_NEAR(value(interpolated(.4)), .103087625705, 1e-12);
}

TEST(DivergenceGolden, TotalVariation) {
  EXPECT_NEAR(value(total_variation), .4, 1e-12);
  EXPECT_NEAR(value(total_variation, {1, 0}, {0, 1}), 1, 1e-15);  // by hand
  EXPECT_NEAR(value(total_variation, {.6, .3, .1}, {.5, .1, .4}), .3, 1e-15);
}

TEST(DivergenceGolden, ConstrainedDistillation) {
  const std::vector<std::int64_t> kept{0, 1};
  const Numbers log_q = logs(student);
  Numbers by(student.size());
  EXPECT_NEAR(value(forward_divergence, {.55, .25}, {.15, .3}), .669025252073, 1e-11);
  EXPECT_NEAR(outside_penalty(10, 3, log_q, kept, by), 4.3, 1e-12);
  expect_near(by, {0, 0, 0, 1.8, 2.5}, 1e-12);  // 10·q of the student's own top 3 outside the teacher's top 2
  Numbers two(3);                               // by hand: the student's top 2 of [.5,.1,.4] are 0 and 2
  EXPECT_NEAR(outside_penalty(1, 2, logs({.5, .1, .4}), kept, two), .4, 1e-12);
  EXPECT_EQ(outside_penalty(1, 1, logs({.5, .1, .4}), kept, two), 0);
}

TEST(DivergenceGolden, SortedProbabilities) {
  EXPECT_NEAR(sorted_distance(Numbers{.1, .6, .3}, Numbers{.5, .5}, {}), .4, 1e-15);
  EXPECT_NEAR(sorted_distance(Numbers{.2, .1}, Numbers{.25, .1, .05}, {}), .1, 1e-15);  // "gold_hybrid", the rest
  Numbers by(3);
  EXPECT_NEAR(sorted_distance(Numbers{.7, .3}, Numbers{.2, .5, .3}, by), .4, 1e-15);  // by hand: .2 + 0 + .2
  EXPECT_EQ(by[1], -1);
  EXPECT_EQ(by[0], 1);
  const std::vector<float> z{0, 1, 2}, t{3, 1};
  EXPECT_NEAR(sorted_distance(2, 1, z, t, {}), .449156375149, 1e-12);
  EXPECT_THROW(sorted_distance(1, 1, std::vector<float>{NAN, 1}, t, {}), std::invalid_argument);
}

TEST(Divergences, DerivativesMatchCentralDifferences) {
  const Numbers log_p = logs(teacher), log_q = logs(student);
  const double w = head_weight(.85, log_p, log_q);
  const auto frozen_taid = [](double t) {  // p_t of the point where the derivative is taken
    Numbers between;
    double total = 0;
    for (std::size_t i = 0; i < teacher.size(); ++i)
      total += between.emplace_back(std::pow(student[i], 1 - t) * std::pow(teacher[i], t));
    for (double& share : between) share = std::log(share / total);
    return [between](const Numbers& q) { return forward_divergence(between, q, {}); };
  };
  struct Case {
    std::string name;
    Formula formula;
    std::function<double(const Numbers&)> reference;  ///< of log q; empty: the formula itself
  };
  const Case cases[] = {{"forward", forward_divergence, {}},
                        {"reverse", reverse_divergence, {}},
                        {"jsd .5", jsd(.5), {}},
                        {"jsd .1", jsd(.1), {}},
                        {"skewed forward", skewed(false, .1), {}},
                        {"skewed reverse", skewed(true, .1), {}},
                        {"abkd .2 .7", alpha_beta(.2, .7), {}},
                        {"abkd 2 0", alpha_beta(2, 0), {}},
                        {"abkd 0 .5", alpha_beta(0, .5), {}},
                        {"tvd", total_variation, {}},
                        {"akl", adaptive(.85),
                         [&](const Numbers& q) {
                           return w * forward_divergence(log_p, q, {}) + (1 - w) * reverse_divergence(log_p, q, {});
                         }},
                        {"taid", interpolated(.4), frozen_taid(.4)}};
  for (const Case& tested : cases) {
    SCOPED_TRACE(tested.name);
    Numbers by(log_q.size());
    tested.formula(log_p, log_q, by);
    const auto reference =
        tested.reference ? tested.reference : [&](const Numbers& q) { return tested.formula(log_p, q, {}); };
    const Numbers expected = central_differences(reference, log_q);
    for (std::size_t i = 0; i < by.size(); ++i) {
      const bool kink = tested.name == "tvd" && teacher[i] == student[i];
      if (!kink) {
        EXPECT_NEAR(by[i], expected[i], 1e-9) << i;
      }
    }
  }
}

TEST(Divergences, TheTeacherItselfIsExactlyZeroAndOthersAreNot) {
  const Formula all[] = {forward_divergence, reverse_divergence, jsd(.5),          skewed(false, .1),
                         skewed(true, .1),   alpha_beta(.2, .7), alpha_beta(1, 0), alpha_beta(0, 1),
                         adaptive(.5),       interpolated(.4),   total_variation};
  for (const Formula& formula : all) {
    EXPECT_NEAR(value(formula, teacher, teacher), 0, 1e-15);
    EXPECT_GT(value(formula), .05);
  }
}

TEST(Divergences, WhatTheTeacherExcludesAddsNothingToTheForwardSide) {
  const Numbers p{.7, .3, 0}, q{.5, .3, .2};
  EXPECT_NEAR(value(forward_divergence, p, q), .7 * std::log(1.4), 1e-14);
  EXPECT_TRUE(std::isinf(value(reverse_divergence, p, q)));
  EXPECT_TRUE(std::isfinite(value(skewed(true, .1), p, q)));
  EXPECT_TRUE(std::isfinite(value(jsd(.5), p, q)));
  EXPECT_TRUE(std::isfinite(value(alpha_beta(.2, .7), p, q)));
}

}  // namespace retort::golden
