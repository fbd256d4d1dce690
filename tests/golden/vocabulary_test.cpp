// prune.vocabulary: which tokens stay.
#include "vocabulary.h"

#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

namespace retort::golden {

namespace {

using Ids = std::vector<std::int64_t>;

const std::vector<float> counts{0, 5, 1, 0, 7, 5, 2, 0};

TEST(Vocabulary, UsedAndRequiredTokensStay) {
  EXPECT_EQ(prune::kept_tokens({}, counts, Ids{0, 3}), (Ids{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(prune::kept_tokens({2, 0}, counts, Ids{7}), (Ids{1, 4, 5, 6, 7}));
  EXPECT_EQ(prune::kept_tokens({0, 0}, counts, Ids{}), (Ids{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(prune::kept_tokens({100, 0}, counts, Ids{2}), (Ids{2}));
}

TEST(Vocabulary, TheMostFrequentStayAndOfEqualsTheLowerId) {
  EXPECT_EQ(prune::kept_tokens({1, 3}, counts, Ids{7}), (Ids{1, 4, 7}));
  EXPECT_EQ(prune::kept_tokens({1, 4}, counts, Ids{7}), (Ids{1, 4, 5, 7}));
  EXPECT_EQ(prune::kept_tokens({1, 1}, counts, Ids{7}), (Ids{7}));
  EXPECT_EQ(prune::kept_tokens({1, 8}, counts, Ids{7}), (Ids{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST(Vocabulary, RefusesSizesAndIdsThatCannotBe) {
  EXPECT_THROW(prune::kept_tokens({1, 1}, counts, Ids{0, 7}), std::invalid_argument);
  EXPECT_THROW(prune::kept_tokens({1, 9}, counts, Ids{}), std::invalid_argument);
  EXPECT_THROW(prune::kept_tokens({}, counts, Ids{8}), std::invalid_argument);
  EXPECT_THROW(prune::kept_tokens({}, counts, Ids{-1}), std::invalid_argument);
  EXPECT_THROW(prune::kept_tokens({}, std::vector<float>{1, -1}, Ids{}), std::invalid_argument);
  EXPECT_THROW(prune::kept_tokens({}, std::vector<float>{std::numeric_limits<float>::quiet_NaN()}, Ids{}),
               std::invalid_argument);
}

}  // namespace

}  // namespace retort::golden
