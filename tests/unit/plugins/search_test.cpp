// stage.search's decisions: Pareto fronts by brute force, who survives a rung, limits that cannot be met, a search that
// is killed. The workbench is a formula.
#include "search.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <retort/host.hpp>
#include <set>
#include <stdexcept>

#include "fixtures.h"

namespace retort::search {
namespace {

std::vector<Figures> random_figures(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> any(0, 6);  // few values, so that equals occur
  std::vector<Figures> all;
  for (std::size_t i = 0; i < count; ++i)
    all.push_back({any(random) * 100, any(random) * .5, any(random) / 10.0, any(random) * 1.0});
  return all;
}

TEST(Pareto, RanksAreThoseOfPeelingFrontsOneByOne) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const std::vector<Figures> all = random_figures(40, seed);
    const std::vector<std::size_t> found = pareto_ranks(all);
    // The rank is the length of the longest chain of dominators: another definition, by relaxation.
    std::vector<std::size_t> chain(all.size(), 0);
    for (std::size_t pass = 0; pass < all.size(); ++pass)
      for (std::size_t i = 0; i < all.size(); ++i)
        for (std::size_t j = 0; j < all.size(); ++j)
          if (dominates(all[j], all[i])) chain[i] = std::max(chain[i], chain[j] + 1);
    EXPECT_EQ(found, chain) << seed;
  }
}

TEST(Pareto, DominanceIsStrictAndLossCountsBetweenEqualMatches) {
  EXPECT_FALSE(dominates({1, 1, .5, 1}, {1, 1, .5, 1}));
  EXPECT_TRUE(dominates({1, 1, .5, 1}, {1, 1, .5, 2}));
  EXPECT_TRUE(dominates({1, 1, .6, 9}, {1, 1, .5, 2}));
  EXPECT_FALSE(dominates({2, 1, .6, 1}, {1, 1, .5, 1}));
  EXPECT_TRUE(dominates({1, .5, .5, 1}, {1, 1, .5, 1}));
}

TEST(Pareto, CrowdingIsTheSidesOfTheBoxBetweenNeighbours) {
  // Bytes 0…10 and exact match 0…1: the ends are infinite, the third point's box is (10 − 1)/10 + (1 − .2)/1.
  const std::vector<Figures> front = {{0, 0, 0, 0}, {1, 0, .2, 0}, {4, 0, .5, 0}, {10, 0, 1, 0}};
  const std::vector<double> found = crowding_distances(front);
  EXPECT_TRUE(std::isinf(found[0]) && std::isinf(found[3]));
  EXPECT_DOUBLE_EQ(found[1], 4 / 10. + .5);
  EXPECT_DOUBLE_EQ(found[2], 9 / 10. + .8);
  EXPECT_EQ(survival_order(front), (std::vector<std::size_t>{3, 0, 2, 1}));
  EXPECT_EQ(survival_order(std::vector<Figures>{{5, 0, .5, 0}, {4, 0, .6, 0}}), (std::vector<std::size_t>{1, 0}));
}

TEST(Pareto, TheBestIsThatOfBruteForce) {
  const auto cost = [](const Figures& one, Preference preference) {
    if (preference == Preference::bytes) return static_cast<double>(one.bytes);
    return preference == Preference::milliseconds ? one.milliseconds : -one.exact_match;
  };
  std::size_t fitted = 0;
  for (unsigned seed = 0; seed < 30; ++seed)
    for (const Preference preference : {Preference::bytes, Preference::milliseconds, Preference::exact_match}) {
      const std::vector<Figures> all = random_figures(12, seed);
      const Limits limits{300, 1.5, .3};
      double least = std::numeric_limits<double>::infinity();
      for (const Figures& one : all)
        if (one.bytes <= 300 && one.milliseconds <= 1.5 && one.exact_match >= .3)
          least = std::min(least, cost(one, preference));
      const auto best = best_fitting(all, limits, preference);
      ASSERT_EQ(best.has_value(), std::isfinite(least)) << seed;
      if (!best) continue;
      ++fitted;
      EXPECT_EQ(cost(all[*best], preference), least) << seed;
      for (const Figures& other : all)
        EXPECT_FALSE(fits(other, limits) && cost(other, preference) == least &&
                     other.exact_match > all[*best].exact_match);
    }
  EXPECT_GT(fitted, 20U);
}

TEST(Pareto, SaysByHowMuchLimitsAreMissed) {
  const Limits limits{1000000, 2, .9};
  EXPECT_EQ(misses_by({1000000, 2, .9, 0}, limits), "");
  EXPECT_EQ(excess({1000000, 2, .9, 0}, limits), 0);
  const std::string all = misses_by({1100000, 3, .8, 0}, limits);
  for (const char* part : {"100 kB (10.0%) too large", "1.00 ms (50.0%) too slow", "10.0 points of exact match short"})
    EXPECT_NE(all.find(part), std::string::npos) << all;
  EXPECT_NEAR(excess({1100000, 3, .8, 0}, limits), .1 + .5 + .1 / .9, 1e-9);
  const std::vector<Figures> two = {{2000000, 1, .95, 0}, {1000000, 1, .85, 0}};
  EXPECT_EQ(nearest(two, limits), 1U);
}

struct Killed : std::exception {};

/// Sizes and qualities by formula: what is cut costs, what is learnt gives back.
class FormulaBench : public Workbench {
 public:
  void cut(const Shape& shape) override { cuts.insert(shape.name()); }
  std::optional<std::int64_t> bytes(const Shape& shape, const Storage& storage) override {
    return static_cast<std::int64_t>(1000 * size(shape) * (storage.quantizer == 0 ? 1.0 : .5));
  }
  Figures proxies(const Shape& shape, const Storage& storage) override {
    count();
    return {*bytes(shape, storage), milliseconds(shape), 0, 5};
  }
  void recover(const Shape& shape, std::size_t rung) override {
    if (shape.name() == diverges) throw std::runtime_error("its loss is not finite");
    if (shape.name() == stops) throw Stopped();
    recovered[shape.name()] = rung + 1;
  }
  Figures measure(const Shape& shape, std::size_t rung, const Storage& storage) override {
    EXPECT_EQ(recovered.at(shape.name()), rung + 1);
    count();
    return {*bytes(shape, storage), milliseconds(shape), exact(shape, rung, storage), 1};
  }

  static double size(const Shape& shape) { return (1 - shape.width) * (1 - .1 * static_cast<double>(shape.depth)); }
  static double milliseconds(const Shape& shape) { return 4 * size(shape); }
  static double exact(const Shape& shape, std::size_t rung, const Storage& storage) {
    return 1 - std::pow(1 - size(shape), 2) - (rung == 0 ? .2 * (1 - size(shape)) : 0) -
           (storage.quantizer == 0 ? 0 : .05);
  }
  std::set<std::string> cuts;
  std::map<std::string, std::size_t> recovered;
  std::string diverges, stops;
  std::size_t measured = 0, kill_after = std::numeric_limits<std::size_t>::max();

 private:
  void count() {
    if (measured++ == kill_after) throw Killed();
  }
};

SearchOptions grid() {
  SearchOptions options;
  for (const double width : {0.0, .1, .2, .3, .4, .5})
    for (const std::int64_t depth : {0, 1, 2}) options.shapes.push_back({width, depth, 0});
  options.storages = {{0, "int8"}, {1, "int4"}};
  return options;
}

TEST(Search, FindsWhatBruteForceFindsWhereAllSurvive) {
  for (const double least : {.5, .7, .9, .97}) {
    SearchOptions options = grid();
    options.survivors = 1;
    options.limits = {800, 3.5, least};
    FormulaBench bench;
    const SearchResult found = search(options, bench);
    double bytes = std::numeric_limits<double>::infinity();
    for (const Shape& shape : options.shapes)
      for (const Storage& storage : options.storages) {
        const auto own = static_cast<double>(*bench.bytes(shape, storage));
        if (own <= 800 && FormulaBench::milliseconds(shape) <= 3.5 && FormulaBench::exact(shape, 1, storage) >= least)
          bytes = std::min(bytes, own);
      }
    EXPECT_EQ(found.found, std::isfinite(bytes)) << least;
    if (found.found) {
      EXPECT_EQ(static_cast<double>(found.candidates[found.best].figures.bytes), bytes) << least;
    }
    EXPECT_EQ(found.failure.empty(), found.found);
  }
}

TEST(Search, HalvesTheShapesAndSaysWhyTheOthersWent) {
  SearchOptions options = grid();
  options.rungs = 3;
  options.survivors = .5;
  FormulaBench bench;
  const SearchResult found = search(options, bench);
  std::map<std::size_t, std::size_t> at_rung;  // how many shapes ended where
  for (const auto& [name, rungs] : bench.recovered) ++at_rung[rungs];
  EXPECT_EQ(at_rung, (std::map<std::size_t, std::size_t>{{1, 9}, {2, 4}, {3, 5}}));  // 18, 9 and 5
  for (const Candidate& one : found.candidates) {
    EXPECT_EQ(one.rung + 1, static_cast<std::int64_t>(bench.recovered.at(one.shape.name())));
    EXPECT_EQ(one.dropped.empty(), one.rung == 2) << one.name();
    for (const Candidate& other : found.candidates)
      EXPECT_FALSE(one.front && dominates(other.figures, one.figures)) << one.name() << " " << other.name();
  }
  EXPECT_TRUE(found.found);  // without limits the smallest of all
  for (const Candidate& one : found.candidates)
    EXPECT_LE(found.candidates[found.best].figures.bytes, one.figures.bytes);
}

TEST(Search, RefusesBeforeAnythingLearnsWhatNoCandidateCanKeep) {
  SearchOptions options = grid();
  options.limits.bytes = 150;  // .5 · .8 · 1000 in int4 are 200
  FormulaBench bench;
  std::string message;
  try {
    search(options, bench);
  } catch (const std::invalid_argument& error) {
    message = error.what();
  }
  EXPECT_NE(message.find("l2-w0.5/int4"), std::string::npos) << message;
  EXPECT_NE(message.find("200 B"), std::string::npos) << message;
  EXPECT_NE(message.find("33.3%"), std::string::npos) << message;
  EXPECT_TRUE(bench.recovered.empty());
  EXPECT_EQ(bench.measured, 0U);  // bytes are known without measuring
  options.limits = {0, 1, 0};     // the smallest takes 1.6 ms
  EXPECT_THROW(search(options, bench), std::invalid_argument);
  options.limits = {0, 1.5, 0};  // 7 % too slow may be noise
  EXPECT_NO_THROW(search(options, bench));
  options.storages.clear();
  EXPECT_THROW(search(options, bench), std::invalid_argument);
}

/// Groups that do not divide a narrower model are stored as int8: the smallest shape need not be the smallest model.
TEST(Search, TheSmallestModelNeedNotBeTheSmallestShape) {
  struct OddBench : FormulaBench {
    std::optional<std::int64_t> bytes(const Shape& shape, const Storage& storage) override {
      return shape.width == .5 ? 900 : *FormulaBench::bytes(shape, storage);
    }
  } bench;
  SearchOptions options = grid();
  options.limits.bytes = 250;  // .6 · .8 · 1000 in int4 are 240
  const SearchResult found = search(options, bench);
  EXPECT_EQ(found.candidates[found.best].name(), "l2-w0.4/int4");
  options.limits.bytes = 230;
  EXPECT_THROW(search(options, bench), std::invalid_argument);
}

TEST(Search, NamesTheNearestWhereNothingFits) {
  SearchOptions options = grid();
  options.survivors = 1;
  options.limits = {400, 0, .95};
  FormulaBench bench;
  const SearchResult found = search(options, bench);
  EXPECT_FALSE(found.found);
  EXPECT_NE(found.failure.find(found.candidates[found.best].name()), std::string::npos) << found.failure;
  EXPECT_NE(found.failure.find("points of exact match short"), std::string::npos) << found.failure;
  const double own = excess(found.candidates[found.best].figures, options.limits);
  for (const Candidate& one : found.candidates) {
    if (one.rung == 1) {
      EXPECT_LE(own, excess(one.figures, options.limits) + 1e-12) << one.name();
    }
    if (one.figures.bytes > 400) {
      EXPECT_NE(one.dropped.find("too large"), std::string::npos) << one.name();
    }
  }
}

TEST(Search, AShapeThatCannotLearnIsDroppedWithItsReason) {
  SearchOptions options = grid();
  FormulaBench bench;
  bench.diverges = "l2-w0.5";
  const SearchResult found = search(options, bench);
  EXPECT_TRUE(found.found);
  for (const Candidate& one : found.candidates) {
    if (one.shape.name() != bench.diverges) continue;
    EXPECT_EQ(one.dropped, "its loss is not finite");
    EXPECT_EQ(one.rung, -1);
  }
  bench.stops = "w0.5";
  EXPECT_THROW(search(options, bench), Stopped);
}

TEST(Search, AKilledSearchMeasuresNothingTwiceAndEndsAlike) {
  const tests::TemporaryFolder folder;
  SearchOptions options = grid();
  FormulaBench whole;
  const SearchResult expected = search(options, whole);
  options.journal = folder.path() / "measured.json";
  FormulaBench bench;
  std::size_t kills = 0;
  for (const std::size_t after : {5U, 20U, 45U}) {
    bench.kill_after = after;
    try {
      search(options, bench);
    } catch (const Killed&) {
      ++kills;
      --bench.measured;  // the one that was under way
    }
  }
  EXPECT_EQ(kills, 3U);
  bench.kill_after = std::numeric_limits<std::size_t>::max();
  const SearchResult found = search(options, bench);
  EXPECT_EQ(bench.measured, whole.measured);
  ASSERT_EQ(found.candidates.size(), expected.candidates.size());
  EXPECT_EQ(found.best, expected.best);
  for (std::size_t i = 0; i < found.candidates.size(); ++i) {
    EXPECT_EQ(found.candidates[i].rung, expected.candidates[i].rung);
    EXPECT_EQ(found.candidates[i].figures.exact_match, expected.candidates[i].figures.exact_match);
    EXPECT_EQ(found.candidates[i].dropped, expected.candidates[i].dropped);
  }
}

}  // namespace
}  // namespace retort::search
