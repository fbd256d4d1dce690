// Which outcomes are compared, and the way back to logits: algorithms.md's conventions of the tail,
// goldens_transfer.json (temperature_on_topk, vocab_padding, nemo_reverse_zero_outside), numbers by hand, and gradients
// against central differences in f64 (of logits whose steps f32 holds exactly).
#include "outcomes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <stdexcept>

#include "divergences.h"
#include "numbers.h"

namespace retort::golden {

namespace {

using namespace distill;
using Floats = std::vector<float>;
using Ids = std::vector<std::int64_t>;

const Floats outcome_student = log_probabilities({.15, .3, .12, .18, .25});

struct Top {
  Ids ids;
  Floats log_probs;
  double tail;
  OutcomeRow row(const Floats& z) const { return {z, {}, ids, log_probs, tail}; }
};

Outcomes set(const OutcomeOptions& options, const OutcomeRow& row) {
  Outcomes outcomes;
  outcomes.set(options, row);
  return outcomes;
}

double forward(const OutcomeOptions& options, const OutcomeRow& row) {
  const Outcomes outcomes = set(options, row);
  return forward_divergence(outcomes.log_p(), outcomes.log_q(), {});
}

std::string message_of(const OutcomeRow& row) {
  try {
    set({}, row);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST(OutcomesGolden, ConventionsOfTheTail) {
  // The teacher's top 2 [.7,.2]; the student has [.5,.3] there.
  const Floats z = log_probabilities({.5, .3, .15, .05});
  const Top top{{0, 1}, log_probabilities({.7, .2}), .1};
  const std::pair<OutsideTop, double> cases[] = {{OutsideTop::bucket, .085123},
                                                 {OutsideTop::renormalise, .276958},
                                                 {OutsideTop::both_renormalise, .053814},
                                                 {OutsideTop::ignore, .154438}};
  for (const auto& [tail, expected] : cases)
    EXPECT_NEAR(forward({1, tail, 1e-6}, top.row(z)), expected, 1e-6) << static_cast<int>(tail);
  // By hand: the tail's .1 over two columns, .7·ln 1.4 + .2·ln ⅔ + .05·ln ⅓ + .05·ln 1.
  EXPECT_NEAR(forward({1, OutsideTop::uniform, 1e-6}, top.row(z)),
              .7 * std::log(1.4) + .2 * std::log(2.0 / 3) + .05 * std::log(1.0 / 3), 1e-6);
}

TEST(OutcomesGolden, AUniformTailIsTemperedAsTheTokensThatItIs) {
  const Top top{{0, 1}, log_probabilities({.55, .25}), .2};
  const Outcomes five = set({2, OutsideTop::uniform, 1e-6}, top.row(outcome_student));
  EXPECT_NEAR(std::exp(five.log_p()[0]), .367827483857, 1e-7);
  EXPECT_NEAR(std::exp(five.log_p()[1]), .247989239027, 1e-7);
  EXPECT_NEAR(3 * std::exp(five.log_p()[4]), .384183277116, 1e-7);
  // By hand: .9 and 1,000 tokens of 1e-4 at T 2: √.9 beside 1,000·.01. As one token the tail would be √.1, .25 of all.
  const Floats wide(1001, 0.0F);
  const Top sure{{0}, log_probabilities({.9}), .1};
  const Outcomes many = set({2, OutsideTop::uniform, 1e-6}, sure.row(wide));
  EXPECT_NEAR(1 - std::exp(many.log_p()[0]), 10 / (10 + std::sqrt(.9)), 1e-7);
}

TEST(OutcomesGolden, PaddedVocabulariesAreSlicedNeverFilled) {
  const Floats z{-2, -3, -4};
  Floats teacher = log_probabilities({.7, .2, .1});
  teacher.insert(teacher.end(), 2, -INFINITY);
  EXPECT_NEAR(forward({}, {z, teacher, {}, {}, 0}), .00578741190104, 1e-7);
  teacher.resize(3);
  const Floats padded{-2, -3, -4, 9, 9};  // rows that no token uses
  EXPECT_NEAR(forward({}, {padded, teacher, {}, {}, 0}), .00578741190104, 1e-7);
  Outcomes outcomes = set({}, {padded, teacher, {}, {}, 0});
  forward_divergence(outcomes.log_p(), outcomes.log_q(), outcomes.by_log_q());
  Floats gradient(5, NAN);
  outcomes.write_gradient(1, gradient);
  EXPECT_EQ(gradient[3], 0.0F);
  EXPECT_EQ(gradient[4], 0.0F);
}

TEST(OutcomesGolden, ATeacherOfNothingOutsideItsTop) {
  const Top top{{0, 1}, log_probabilities({.55, .25}), .2};
  const Outcomes outcomes = set({1, OutsideTop::zero, 1e-6}, top.row(outcome_student));
  EXPECT_NEAR(reverse_divergence(outcomes.log_p(), outcomes.log_q(), {}), 53.9501350877, 1e-5);
  const Outcomes ignored = set({1, OutsideTop::ignore, 1e-6}, top.row(outcome_student));
  EXPECT_NEAR(reverse_divergence(ignored.log_p(), ignored.log_q(), {}), -.140195980581, 1e-6);
}

TEST(OutcomesGolden, MassesOfTheTopAndTheirOverlap) {
  Outcomes outcomes = set({}, Top{{0, 1}, log_probabilities({.55, .25}), .2}.row(outcome_student));
  const TopMass mass = outcomes.top_mass();  // the student's own top 2 are 1 and 4
  EXPECT_NEAR(mass.teacher, .8, 1e-6);
  EXPECT_NEAR(mass.student, .45, 1e-6);
  EXPECT_NEAR(mass.overlap, .5, 1e-12);
}

TEST(Outcomes, IdsThatTheStudentLacksArePartOfTheTail) {
  const Top known{{0, 1}, log_probabilities({.55, .25}), .2},
      foreign{{0, 1, 77}, log_probabilities({.55, .25, .15}), .05};
  for (const OutsideTop tail : {OutsideTop::bucket, OutsideTop::uniform, OutsideTop::renormalise})
    EXPECT_NEAR(forward({1, tail, 1e-6}, foreign.row(outcome_student)),
                forward({1, tail, 1e-6}, known.row(outcome_student)), 1e-6);
  EXPECT_TRUE(set({}, Top{{77}, log_probabilities({.9}), .1}.row(outcome_student)).log_p().empty());
}

TEST(Outcomes, GradientsMatchCentralDifferencesInEveryConvention) {
  std::mt19937 random(7);
  Floats z(11), teacher(9);
  for (float& value : z) value = static_cast<float>(static_cast<int>(random() % 256) - 128) / 64;
  for (float& value : teacher) value = static_cast<float>(static_cast<int>(random() % 256) - 128) / 64;
  const Top top{{3, 10, 0, 40}, log_probabilities({.4, .25, .15, .05}), .15};
  const auto compare = [&](const OutcomeOptions& options, auto row_of, double beta) {
    const auto loss = [&] {
      Outcomes outcomes = set(options, row_of());
      double value = mixture_divergence(beta, outcomes.log_p(), outcomes.log_q(), outcomes.by_log_q());
      for (const double log_q : outcomes.student().first(3)) value += std::exp(log_q);  // what by_student is for
      return value;
    };
    Outcomes outcomes = set(options, row_of());
    mixture_divergence(beta, outcomes.log_p(), outcomes.log_q(), outcomes.by_log_q());
    const std::span<double> by_student = outcomes.by_student();
    for (std::size_t j = 0; j < 3; ++j) by_student[j] = std::exp(outcomes.student()[j]);
    Floats gradient(z.size(), NAN);
    outcomes.write_gradient(1, gradient);
    const auto difference = [&](std::size_t j, float h) {
      const float middle = z[j];
      z[j] = middle + h;
      const double above = loss();
      z[j] = middle - h;
      const double below = loss();
      z[j] = middle;
      return (above - below) / (2 * static_cast<double>(h));
    };
    for (std::size_t j = 0; j < z.size(); ++j) {
      const double expected = (4 * difference(j, 1.0F / 512) - difference(j, 1.0F / 256)) / 3;
      EXPECT_NEAR(static_cast<double>(gradient[j]), expected, 2e-7 * (1 + std::abs(expected))) << j;
    }
  };
  for (const double beta : {0.0, .5, 1.0}) {
    SCOPED_TRACE("beta " + std::to_string(beta));
    for (const OutsideTop tail : {OutsideTop::bucket, OutsideTop::uniform, OutsideTop::renormalise,
                                  OutsideTop::both_renormalise, OutsideTop::ignore, OutsideTop::zero}) {
      SCOPED_TRACE("tail " + std::to_string(static_cast<int>(tail)));
      const bool any_temperature =
          tail == OutsideTop::uniform || tail == OutsideTop::renormalise || tail == OutsideTop::both_renormalise;
      compare({any_temperature ? 2.0 : 1.0, tail, 1e-6}, [&] { return top.row(z); }, beta);
    }
    compare({2, OutsideTop::bucket, 1e-6}, [&] { return OutcomeRow{z, teacher, {}, {}, 0}; }, beta);
  }
}

TEST(Outcomes, WithABucketNothingIsBelowZero) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal(0, 3);
  const Top top{{0, 1}, log_probabilities({.55, .25}), .2};
  for (int trial = 0; trial < 200; ++trial) {
    Floats z(5);
    for (float& value : z) value = normal(random);
    for (const OutsideTop tail : {OutsideTop::bucket, OutsideTop::uniform}) {
      const Outcomes outcomes = set({1, tail, 1e-6}, top.row(z));
      for (const double beta : {0.0, .3, 1.0})
        EXPECT_GE(mixture_divergence(beta, outcomes.log_p(), outcomes.log_q(), {}), 0);
    }
  }
}

TEST(Outcomes, BadRowsAreRefusedByName) {
  const Floats broken{NAN, 1}, fine{0, 1}, none{-INFINITY, -INFINITY};
  EXPECT_NE(message_of({broken, fine, {}, {}, 0}).find("student's logits"), std::string::npos);
  EXPECT_NE(message_of({fine, broken, {}, {}, 0}).find("teacher's logits"), std::string::npos);
  EXPECT_NE(message_of({fine, none, {}, {}, 0}).find("teacher's logits"), std::string::npos);
  EXPECT_NE(message_of(Top{{1, 1}, log_probabilities({.5, .4}), .1}.row(outcome_student)).find("token 1 twice"),
            std::string::npos);
  EXPECT_NE(message_of(Top{{0, 1}, Floats{.5F, .4F}, .1}.row(outcome_student)).find("log-probability"),
            std::string::npos);
  EXPECT_NE(message_of(Top{{0, 1}, log_probabilities({.9, .3}), .1}.row(outcome_student)).find("of 1 altogether"),
            std::string::npos);
  EXPECT_NE(message_of(Top{{0, 1}, log_probabilities({.5, .3}), -.1}.row(outcome_student)).find("of 1 altogether"),
            std::string::npos);
  EXPECT_NO_THROW(check({2, OutsideTop::bucket, 1e-6}, 0));
  for (const OutsideTop tail : {OutsideTop::bucket, OutsideTop::ignore, OutsideTop::zero})
    EXPECT_THROW(check({2, tail, 1e-6}, 8), std::invalid_argument);
  EXPECT_NO_THROW(check({2, OutsideTop::uniform, 1e-6}, 8));
  EXPECT_THROW(outside_top("drop"), std::invalid_argument);
}

}  // namespace retort::golden
