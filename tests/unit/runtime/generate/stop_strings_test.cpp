// Stop strings in streams that are cut anywhere; log-probabilities against numbers worked out by hand.
#include "runtime/generate/stop_strings.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>

#include "runtime/kernels/log_probabilities.h"

namespace retort::runtime {
namespace {

struct Out {
  std::string text;
  std::optional<std::string> stop;
  bool operator==(const Out&) const = default;
};

/// The pieces of `text` between the cuts, one after the other.
Out run(const std::vector<std::string>& stops, const std::string& text, const std::vector<std::size_t>& cuts) {
  StopStrings matcher(stops);
  Out out;
  std::size_t from = 0;
  for (const std::size_t cut : cuts) {
    out.text += matcher.push(text.substr(from, cut - from));
    from = cut;
  }
  out.text += matcher.push(text.substr(from));
  out.text += matcher.finish();
  out.stop = matcher.found();
  return out;
}

TEST(StopStrings, EndsBeforeTheStop) {
  EXPECT_EQ(run({"###"}, "one ## two ### three", {}), (Out{"one ## two ", "###"}));
  EXPECT_EQ(run({"###"}, "one ## two ##", {}), (Out{"one ## two ##", std::nullopt}));
  EXPECT_EQ(run({}, "all of it", {4}), (Out{"all of it", std::nullopt}));
  EXPECT_EQ(run({"é"}, "caf\xC3\xA9!", {4}), (Out{"caf", "é"}));
}

TEST(StopStrings, GivesOutWhatCannotBecomeAStopAndNothingElse) {
  StopStrings matcher({"abab"});
  EXPECT_EQ(matcher.push("xab"), "x");
  EXPECT_EQ(matcher.push("a"), "");
  EXPECT_EQ(matcher.push("a"), "aba");  // "abaa": only the last letter can begin one
  EXPECT_EQ(matcher.push("bab"), "");
  EXPECT_EQ(matcher.found(), "abab");
  EXPECT_EQ(matcher.push("more"), "");
  EXPECT_EQ(matcher.finish(), "");
}

TEST(StopStrings, TheFirstToBeCompleteCountsAndOfThoseTheLongest) {
  EXPECT_EQ(run({"bcd", "c"}, "abcd", {}), (Out{"ab", "c"}));
  EXPECT_EQ(run({"c", "bc", "abcd"}, "abcd", {}), (Out{"a", "bc"}));
}

TEST(StopStrings, CutsMakeNoDifference) {
  std::mt19937 random(4);
  const auto text_of = [&random](std::size_t size) {
    std::string text;
    while (text.size() < size) text.push_back(static_cast<char>('a' + random() % 2));
    return text;
  };
  int stopped = 0;
  for (int i = 0; i < 2000; ++i) {
    const std::vector<std::string> stops{text_of(3 + random() % 5), text_of(2 + random() % 7)};
    const std::string text = text_of(30);
    const Out whole = run(stops, text, {});
    // Independently: the shortest beginning of the text that ends with a stop string.
    Out expected{text, std::nullopt};
    for (std::size_t end = 1; end <= text.size() && !expected.stop; ++end) {
      for (const std::string& stop : stops) {
        if (!text.substr(0, end).ends_with(stop) || (expected.stop && expected.stop->size() >= stop.size())) continue;
        expected = {text.substr(0, end - stop.size()), stop};
      }
    }
    ASSERT_EQ(whole, expected) << text << " " << stops[0] << " " << stops[1];
    std::vector<std::size_t> cuts;
    for (std::size_t at = random() % 4; at < text.size(); at += random() % 5) cuts.push_back(at);
    ASSERT_EQ(run(stops, text, cuts), whole);
    stopped += whole.stop ? 1 : 0;
  }
  EXPECT_GT(stopped, 500);
  EXPECT_LT(stopped, 1990);
}

TEST(StopStrings, RefusesAnEmptyOne) {
  EXPECT_THROW(StopStrings({"a", ""}), std::invalid_argument);
}

TEST(LogProbabilities, AreTheLogOfTheSoftmax) {
  // Probabilities 0.15, 0.5, 0.05, 0.3, shifted by a constant.
  const std::vector<float> logits{std::log(0.15f) + 90, std::log(0.5f) + 90, std::log(0.05f) + 90, std::log(0.3f) + 90};
  const LogProbabilities found = log_probabilities(logits, 2, 3);
  EXPECT_EQ(found.chosen.token, 2);
  EXPECT_NEAR(found.chosen.log_probability, std::log(0.05), 1e-5);
  ASSERT_EQ(found.top.size(), 3U);
  const std::vector<std::pair<TokenId, double>> expected{{1, 0.5}, {3, 0.3}, {0, 0.15}};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(found.top[i].token, expected[i].first);
    EXPECT_NEAR(found.top[i].log_probability, std::log(expected[i].second), 1e-5);
  }
  EXPECT_TRUE(log_probabilities(logits, 2, 0).top.empty());
  EXPECT_EQ(log_probabilities(logits, 2, 99).top.size(), 4U);
}

TEST(LogProbabilities, NaNIsImpossibleAndEqualsAreOrderedById) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const LogProbabilities found = log_probabilities(std::vector<float>{nan, 1, 1}, 0, 3);
  EXPECT_EQ(found.chosen.log_probability, -std::numeric_limits<double>::infinity());
  EXPECT_EQ(found.top[0].token, 1);
  EXPECT_EQ(found.top[1].token, 2);
  EXPECT_NEAR(found.top[0].log_probability, std::log(0.5), 1e-12);
}

}  // namespace
}  // namespace retort::runtime
