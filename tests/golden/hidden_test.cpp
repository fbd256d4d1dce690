// distill.hidden: the published number, numbers computed in float64 outside this project (Python), and central
// differences.
#include "hidden.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <vector>

#include "numbers.h"
#include "reference_losses.h"

namespace retort::golden {

namespace {

using distill::Distance;
using distill::Projection;
using Floats = std::vector<float>;

struct Result {
  double value = 0;
  Floats student, weight;
};

Result distance_of(Distance distance, const Floats& h, const Floats& o, const Floats& w = {}, double weight = 1) {
  Result result;
  result.student.assign(h.size(), 0.0F);
  result.weight.assign(w.size(), 0.0F);
  Projection projection;
  const auto columns = static_cast<std::ptrdiff_t>(h.size());
  if (!w.empty()) projection = {{w.data(), columns}, {result.weight.data(), columns}};
  distill::HiddenScratch scratch;
  result.value = distill::hidden_distance(distance, weight, h, o, projection, result.student, scratch);
  return result;
}

TEST(HiddenGolden, CosineOfTwoVectors) {
  EXPECT_NEAR(distance_of(Distance::cosine, {1, 0}, {1, 1}).value, .292893, 1e-6);
  EXPECT_NEAR(distance_of(Distance::cosine, {3, 0}, {7, 7}).value, .292893, 1e-6);  // lengths do not count
}

TEST(HiddenGolden, MeanSquaredErrorThroughAProjection) {
  // h = [1,2], W = [[.5,−1],[2,.25],[0,1]], o = [1,0,−1]: u = [−1.5,2.5,2].
  const Result found = distance_of(Distance::mse, {1, 2}, {1, 0, -1}, {.5F, -1, 2, .25F, 0, 1});
  EXPECT_NEAR(found.value, 7.166666666667, 1e-12);
  expect_near(found.student, {2.5, 4.083333333333}, 1e-6);
  expect_near(found.weight, {-1.666666667, -3.333333333, 1.666666667, 3.333333333, 2, 4}, 1e-6);
  EXPECT_NEAR(distance_of(Distance::cosine, {1, 2}, {1, 0, -1}, {.5F, -1, 2, .25F, 0, 1}).value, 1.7, 1e-12);
}

TEST(Hidden, GradientsMatchCentralDifferences) {
  const Floats h{.75F, -1.25F, .5F}, o{1, .25F}, w{.5F, -1, .25F, 2, .125F, -.75F};
  for (const Distance distance : {Distance::mse, Distance::cosine}) {
    std::vector<double> x(h.begin(), h.end());
    x.insert(x.end(), w.begin(), w.end());
    const auto reference = [&](const std::vector<double>& at) {  // u, then the distance, from the definitions
      std::vector<double> u(2);
      double square = 0, product = 0, u_square = 0, o_square = 0;
      for (std::size_t i = 0; i < 2; ++i) {
        for (std::size_t j = 0; j < 3; ++j) u[i] += at[3 + 3 * i + j] * at[j];
        const double teacher = static_cast<double>(o[i]);
        square += (u[i] - teacher) * (u[i] - teacher) / 2;
        product += u[i] * teacher;
        u_square += u[i] * u[i];
        o_square += teacher * teacher;
      }
      return .5 * (distance == Distance::mse ? square : 1 - product / std::sqrt(u_square * o_square));
    };
    const Result found = distance_of(distance, h, o, w, .5);
    EXPECT_NEAR(found.value, reference(x), 1e-12);
    const auto expected = central_differences(reference, x);
    expect_near(found.student, {expected.begin(), expected.begin() + 3}, 1e-6);
    expect_near(found.weight, {expected.begin() + 3, expected.end()}, 1e-6);
  }
}

TEST(Hidden, GradientsAreAddedAndAWeightOfZeroReadsNothing) {
  Floats sum{10, 10};
  distill::HiddenScratch scratch;
  distill::hidden_distance(Distance::mse, 1, Floats{1, 0}, Floats{0, 0}, {}, sum, scratch);
  expect_near(sum, {11, 10}, 1e-6);
  EXPECT_EQ(distill::hidden_distance(Distance::cosine, 0, Floats{NAN, 0}, Floats{0, 0}, {}, sum, scratch), 0);
  expect_near(sum, {11, 10}, 1e-6);
}

TEST(Hidden, AZeroVectorIsAsFarAsCanBeAndHasNoSlope) {
  const Result found = distance_of(Distance::cosine, {0, 0}, {1, 1});
  EXPECT_EQ(found.value, 1);
  EXPECT_EQ(found.student, (Floats{0, 0}));
}

TEST(Hidden, ErrorsSayWhatIsWrong) {
  EXPECT_THROW(distance_of(Distance::mse, {1, 2}, {1, 2, 3}), std::invalid_argument);
  EXPECT_THROW(distance_of(Distance::mse, {NAN, 2}, {1, 2}), std::invalid_argument);
}

TEST(Hidden, ProjectionsBeginFromSeedAndNumberAlone) {
  const auto row = [](std::uint64_t seed, std::uint64_t number, std::uint64_t index) {
    Floats weight(64, 9.0F);
    distill::initialise_row(seed, number, index, weight);
    return weight;
  };
  const Floats first = row(1, 0, 0);
  EXPECT_EQ(first, row(1, 0, 0));
  EXPECT_NE(first, row(2, 0, 0));
  EXPECT_NE(first, row(1, 1, 0));
  EXPECT_NE(first, row(1, 0, 1));
  double mean = 0, squares = 0;
  for (std::uint64_t index = 0; index < 64; ++index)
    for (const float value : row(1, 0, index)) {
      EXPECT_LE(std::abs(value), .125F);  // 1/√64
      mean += static_cast<double>(value) / 4096;
      squares += static_cast<double>(value) * static_cast<double>(value) / 4096;
    }
  EXPECT_NEAR(mean, 0, .005);
  EXPECT_NEAR(squares, .125 * .125 / 3, 3e-4);  // variance of the uniform distribution
}

}  // namespace

}  // namespace retort::golden
