// Draws against probabilities worked out by hand and against plain loops in double.
#include "runtime/generate/token_draw.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <set>

namespace retort::runtime {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity(), kNaN = std::numeric_limits<float>::quiet_NaN();

TEST(TokenDraw, TemperatureIsInTheLogProbability) {
  // z / T = 2.857143, 1.428571, 0; log Σ exp = 3.117261.
  const std::vector<float> logits{2, 1, 0};
  const DrawnToken first = draw_token(logits, 0.7, 0.0);
  EXPECT_EQ(first.token, 0);
  EXPECT_NEAR(first.log_probability, -0.260118, 2e-6);
  EXPECT_NEAR(draw_token(logits, 0.7, 0.99).log_probability, -0.260118 - 2 / 0.7, 2e-6);
  // Greedy: of the logits themselves, log_softmax([2,1,0])[0].
  EXPECT_NEAR(draw_token(logits, 0, 0.99).log_probability, -0.407606, 2e-6);
}

/// Where a sampler draws from a part of the vocabulary alone its log-probability is that of the part: of the top 2 of
/// [2,1,0] −.313262, and .094344 above the model's own −.407606, which is what a trainer computes. Rollouts know no
/// top-k or top-p for that reason; a grammar's mask is such a part, and the difference is what "sampler_difference"
/// shows.
TEST(TokenDraw, OfAPartOfTheVocabularyItIsThatPartsProbability) {
  const float of_two = draw_token(std::vector<float>{2, 1, kNaN}, 1, 0.0).log_probability;
  const float of_all = draw_token(std::vector<float>{2, 1, 0}, 1, 0.0).log_probability;
  EXPECT_NEAR(of_two, -0.313262, 2e-6);
  EXPECT_NEAR(of_two - of_all, 0.094344, 2e-6);
}

TEST(TokenDraw, InvertsTheDistributionInTheOrderOfIds) {
  const std::vector<float> logits{std::log(0.2f), std::log(0.5f), -kInfinity, std::log(0.3f)};
  EXPECT_EQ(draw_token(logits, 1, 0.0).token, 0);
  EXPECT_EQ(draw_token(logits, 1, 0.1999).token, 0);
  EXPECT_EQ(draw_token(logits, 1, 0.2001).token, 1);
  EXPECT_EQ(draw_token(logits, 1, 0.6999).token, 1);
  EXPECT_EQ(draw_token(logits, 1, 0.7001).token, 3);
  EXPECT_EQ(draw_token(logits, 1, 1 - 0x1.0p-53).token, 3);
  EXPECT_EQ(draw_token(logits, 0, 0.9).token, 1);
}

TEST(TokenDraw, ExtremeLogits) {
  EXPECT_EQ(draw_token(std::vector<float>{kNaN, kNaN}, 1, 0.5).token, -1);
  EXPECT_EQ(draw_token(std::vector<float>{kNaN, -3, kNaN}, 1, 0.999).token, 1);
  const DrawnToken infinite = draw_token(std::vector<float>{1, kInfinity, 2, kInfinity}, 1, 0.6);
  EXPECT_EQ(infinite.token, 3);
  EXPECT_NEAR(infinite.log_probability, -std::log(2.0), 1e-6);
  EXPECT_EQ(draw_token(std::vector<float>{3e38f, -3e38f}, 1e-6, 0.9999999).token, 0);
  EXPECT_EQ(draw_token(std::vector<float>{0, 500}, 1, 0.0).token, 1);  // e^−500 is no f32
}

TEST(TokenDraw, IsWhatPlainLoopsGive) {
  std::mt19937 random(3);
  for (const std::int64_t vocabulary : {1, 15, 257, 1536, 50'000, 300'001}) {
    std::normal_distribution<float> normal(0, 3);
    std::vector<float> logits(static_cast<std::size_t>(vocabulary));
    for (float& logit : logits) logit = normal(random);
    for (const double temperature : {0.0, 0.3, 1.0, 2.5}) {
      for (int i = 0; i < 20; ++i) {
        const double number = std::uniform_real_distribution<double>()(random);
        const DrawnToken fast = draw_token(logits, temperature, number);
        const DrawnToken slow = ref_draw_token(logits, temperature, number);
        EXPECT_EQ(fast.token, slow.token) << vocabulary << " " << temperature << " " << number;
        EXPECT_NEAR(fast.log_probability, slow.log_probability, 1e-5);
      }
    }
  }
}

TEST(TokenDraw, NumbersAreUniformAndDependOnAllThree) {
  std::set<double> seen;
  double sum = 0, squares = 0;
  constexpr int kEach = 20;
  for (std::uint64_t seed = 0; seed < kEach; ++seed)
    for (std::uint64_t row = 0; row < kEach; ++row)
      for (std::uint64_t t = 0; t < kEach; ++t) {
        const double number = draw_number(seed, row, t);
        EXPECT_GE(number, 0.0);
        EXPECT_LT(number, 1.0);
        seen.insert(number);
        sum += number;
        squares += number * number;
      }
  constexpr double kCount = kEach * kEach * kEach;
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(kCount));
  EXPECT_NEAR(sum / kCount, 0.5, 0.013);             // 4 standard errors: 4 · 0.289 / √8000
  EXPECT_NEAR(squares / kCount, 1.0 / 3.0, 0.0134);  // 4 · 0.298 / √8000
}

}  // namespace
}  // namespace retort::runtime
