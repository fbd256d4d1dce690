// MinHash with bands beside a comparison of all pairs.
#include "data/near_duplicates.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include "data/seen_texts.h"
#include "data/text_words.h"

namespace retort::data {
namespace {

using Set = std::vector<std::uint32_t>;

double similarity(const Set& a, const Set& b) {
  return jaccard(a.data(), a.size(), b.data(), b.size());
}

/// Sets of 20 numbers, most of them made from an earlier one with some members replaced.
std::vector<Set> related_sets(std::size_t count) {
  std::mt19937 random(7);
  std::vector<Set> sets;
  while (sets.size() < count) {
    std::set<std::uint32_t> members;
    if (!sets.empty() && random() % 4 != 0) {
      const Set& base = sets[random() % sets.size()];
      members.insert(base.begin(), base.end());
      for (auto replaced = random() % 8; replaced > 0 && !members.empty(); --replaced)
        members.erase(std::next(members.begin(), static_cast<std::ptrdiff_t>(random() % members.size())));
    }
    while (members.size() < 20) members.insert(static_cast<std::uint32_t>(random()));
    sets.emplace_back(members.begin(), members.end());
  }
  return sets;
}

TEST(NearDuplicates, FindWhatAComparisonOfAllPairsFinds) {
  for (const double threshold : {0.6, 0.8, 0.95}) {
    NearDuplicates near(threshold);
    std::vector<Set> kept;
    int at_threshold = 0, missed = 0;
    for (const Set& set : related_sets(2000)) {
      const bool expected =
          std::any_of(kept.begin(), kept.end(), [&](const Set& one) { return similarity(one, set) >= threshold; });
      const auto found = near.find_or_keep(set);
      if (found) {
        ASSERT_GE(similarity(kept.at(*found), set), threshold);  // never one that is not near
      } else {
        kept.push_back(set);
      }
      at_threshold += expected;
      missed += expected && !found;
    }
    EXPECT_GT(at_threshold, 100);
    EXPECT_LE(missed, at_threshold / 50) << "threshold " << threshold << ", near " << at_threshold;
    EXPECT_EQ(near.kept(), kept.size());
    EXPECT_GE(1 - std::pow(1 - std::pow(threshold, near.rows()), near.bands()), 0.99);
  }
}

TEST(NearDuplicates, OfAnotherGroupAreNone) {
  NearDuplicates near(0.5);
  EXPECT_EQ(near.find_or_keep({1, 2, 3}, 1), std::nullopt);
  EXPECT_EQ(near.find_or_keep({1, 2, 3}, 2), std::nullopt);
  EXPECT_EQ(near.find_or_keep({1, 2, 3, 4}, 2), 1U);
  EXPECT_EQ(near.find_or_keep({1, 2, 3, 4}, 1), 0U);
}

TEST(NearDuplicates, ManySetsHalfAlikeTakeLinearTime) {
  NearDuplicates near(0.9);
  for (std::uint32_t i = 0; i < 20'000; ++i) {  // all hold 1 to 9: without a bound every set meets every other
    Set set = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    for (std::uint32_t j = 0; j < 6; ++j) set.push_back(100 + 6 * i + j);
    EXPECT_EQ(near.find_or_keep(set), std::nullopt);
  }
  EXPECT_EQ(near.kept(), 20'000U);
}

TEST(NearDuplicates, RefusesASimilarityThatIsNone) {
  for (const double threshold : {0.0, -1.0, 1.5, std::nan("")})
    EXPECT_THROW(NearDuplicates{threshold}, std::invalid_argument) << threshold;
}

TEST(SeenTexts, RemembersEachOnce) {
  SeenTexts seen;
  for (std::uint64_t i = 0; i < 20000; ++i) EXPECT_TRUE(seen.insert(i * i * 0x9E3779B97F4A7C15ULL + 1));
  for (std::uint64_t i = 0; i < 20000; ++i) EXPECT_FALSE(seen.insert(i * i * 0x9E3779B97F4A7C15ULL + 1));
  EXPECT_EQ(seen.size(), 20000U);
  SeenTexts nought;
  EXPECT_TRUE(nought.insert(0));
  EXPECT_FALSE(nought.insert(0));
}

}  // namespace
}  // namespace retort::data
