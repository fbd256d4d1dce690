// BIO corpora as calls: a corpus made by hand, broken ones, and SNIPS.
#include "data/bio_corpus.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace retort::data {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class ImportBio : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() /
              ("retort-import-bio-" + std::to_string(::testing::UnitTest::GetInstance()->random_seed()) + "-" +
               testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::string& split, const std::string& tokens, const std::string& tags, const std::string& labels) {
    fs::create_directories(folder_ / split);
    std::ofstream(folder_ / split / "seq.in") << tokens;
    std::ofstream(folder_ / split / "seq.out") << tags;
    std::ofstream(folder_ / split / "label") << labels;
  }

  /// What a stage writes of the folder.
  struct Imported : BioReport {
    std::vector<task::Example> train, validation, test;
    std::vector<task::RejectedRow> rejected;
  };
  static Imported import(const fs::path& folder, const BioOptions& options) {
    Imported all;
    static_cast<BioReport&>(all) = import_bio(
        folder, options,
        {[&](const std::string& split, const task::Example& example) {
           (split == "train" ? all.train : split == "validation" ? all.validation : all.test).push_back(example);
         },
         [&](const task::RejectedRow& row) { all.rejected.push_back(row); }});
    return all;
  }

  fs::path folder_;
};

TEST_F(ImportBio, MakesCallsOfTags) {
  const task::Example example =
      to_example("play  some smooth jazz by miles davis ", "O O B-genre I-genre O B-artist I-artist", "PlayMusic");
  EXPECT_EQ(example.utterance(), "play some smooth jazz by miles davis");
  ASSERT_EQ(example.calls->size(), 1U);
  EXPECT_EQ(example.calls->front().name, "PlayMusic");
  EXPECT_EQ(example.calls->front().arguments, (json{{"genre", "smooth jazz"}, {"artist", "miles davis"}}));
}

TEST_F(ImportBio, RepeatedSlotsAreLists) {
  const task::Example example = to_example("a b and c", "B-x I-x O B-x", "Y");
  EXPECT_EQ(example.calls->front().arguments, (json{{"x", {"a b", "c"}}}));
  // B- next to B- of the same slot begins a second value.
  EXPECT_EQ(to_example("a b c d", "B-x B-x B-x I-x", "Y").calls->front().arguments, (json{{"x", {"a", "b", "c d"}}}));
}

TEST_F(ImportBio, ASlotThatRepeatsIsAListInEveryRowOfItsIntent) {
  write("train", "a or b\nc\nd\n", "B-x O B-x\nB-x\nB-x\n", "Y\nY\nZ\n");
  write("valid", "e\n", "B-x\n", "Y\n");
  write("test", "f\ng h\n", "B-x\nB-x B-x\n", "Y\nZ\n");
  const Imported corpus = import(folder_, {0});
  const json list = {{"type", "array"}, {"items", {{"type", "string"}}}};
  EXPECT_EQ(corpus.tools[0].parameters["properties"], (json{{"x", list}}));
  EXPECT_EQ(corpus.tools[1].parameters["properties"], (json{{"x", {{"type", "string"}}}}));
  EXPECT_EQ(corpus.train[0].calls->front().arguments, (json{{"x", {"a", "b"}}}));
  EXPECT_EQ(corpus.train[1].calls->front().arguments, (json{{"x", json::array({"c"})}}));
  EXPECT_EQ(corpus.train[2].calls->front().arguments, (json{{"x", "d"}}));
  EXPECT_EQ(corpus.validation[0].calls->front().arguments, (json{{"x", json::array({"e"})}}));
  EXPECT_EQ(corpus.test[0].calls->front().arguments, (json{{"x", json::array({"f"})}}));
  EXPECT_EQ(corpus.test_without_tool, 1) << "only test has two values for Z: no model could know";
}

TEST_F(ImportBio, RefusesRowsThatAreNotBio) {
  EXPECT_THROW(to_example("a b", "O", "Y"), std::invalid_argument);
  EXPECT_THROW(to_example("", "", "Y"), std::invalid_argument);
  EXPECT_THROW(to_example("a", "I-x", "Y"), std::invalid_argument);
  EXPECT_THROW(to_example("a b", "B-x I-y", "Y"), std::invalid_argument);
  EXPECT_THROW(to_example("a b c", "B-x O I-x", "Y"), std::invalid_argument);
  EXPECT_THROW(to_example("a", "E-x", "Y"), std::invalid_argument);
  EXPECT_THROW(to_example("a", "B-", "Y"), std::invalid_argument);
  EXPECT_THROW(to_example("a", "O", "one two"), std::invalid_argument);
  EXPECT_THROW(to_example("a", "O", "one#two"), std::invalid_argument);
}

TEST_F(ImportBio, ReadsACorpusAndReportsItsBadRows) {
  write("train", "play jazz\nrain in rome\nbad row\n", "O B-genre\nO O B-city\nO\n", "Play\nWeather\nPlay\n");
  write("valid", "play abba\n", "O B-artist\n", "Play\n");
  write("test", "play jazz\nrate it five\n", "O B-genre\nO O B-rating\n", "Play\nRate\n");
  const Imported corpus = import(folder_, {0.5});
  EXPECT_EQ(corpus.train.size(), 2U);
  EXPECT_EQ(corpus.validation.size(), 1U);
  EXPECT_EQ(corpus.test.size(), 2U);
  EXPECT_EQ(corpus.test_without_tool, 1);  // "Rate" is no tool of training: it stays, and will count as wrong
  EXPECT_EQ(corpus.test_utterances_in_train, 1);
  ASSERT_EQ(corpus.rejected.size(), 1U);
  EXPECT_EQ(corpus.rejected[0].line, 3);
  EXPECT_EQ(corpus.rejected[0].reason.rfind("train: expected one tag for each token", 0), 0U)
      << corpus.rejected[0].reason;
  ASSERT_EQ(corpus.tools.size(), 2U);
  EXPECT_EQ(corpus.tools[0].name, "Play");
  EXPECT_EQ(corpus.tools[0].parameters["properties"],
            (json{{"artist", {{"type", "string"}}}, {"genre", {{"type", "string"}}}}));
  EXPECT_EQ(corpus.tally.rejected(), 1);
  EXPECT_EQ(corpus.tally.kept(), 5);
  EXPECT_THROW(import(folder_, {0.1}), std::runtime_error);
}

TEST_F(ImportBio, RefusesFilesThatDoNotBelongTogether) {
  const auto read = [&](const char* split) { for_each_bio_line(folder_ / split, [](const BioLine&) {}); };
  write("train", "a\nb\n", "O\nO\n", "X\n");
  EXPECT_THROW(read("train"), std::runtime_error);
  write("valid", "a\n", "O\n", "X\nY\n");
  EXPECT_THROW(read("valid"), std::runtime_error);
  EXPECT_THROW(read("nowhere"), std::runtime_error);
}

TEST_F(ImportBio, ReadsFilesOfOtherSystems) {
  write("train", "\xEF\xBB\xBFplay jazz\r\nstop\r\n", "O B-genre\r\nO\r\n", "Play\r\nStop\r\n");
  write("valid", "", "", "");
  write("test", "", "", "");
  const Imported corpus = import(folder_, {0});
  ASSERT_EQ(corpus.train.size(), 2U);
  EXPECT_EQ(corpus.train[0].utterance(), "play jazz") << "no byte order mark";
  EXPECT_EQ(corpus.train[1].calls->front().name, "Stop");
}

TEST_F(ImportBio, DrawsWhichRowsKeepTheirLabels) {
  const auto labelled = [](std::size_t count, double share, std::uint64_t seed) {
    const std::vector<bool> rows = labelled_rows(count, share, seed);
    EXPECT_EQ(rows.size(), count);
    return std::count(rows.begin(), rows.end(), true);
  };
  EXPECT_EQ(labelled(25, 1, 7), 25);
  EXPECT_EQ(labelled(25, 0, 7), 0);
  EXPECT_EQ(labelled(25, 0.01, 7), 1);
  EXPECT_EQ(labelled(25, 0.2, 7), 5);
  EXPECT_EQ(labelled(0, 0.5, 7), 0);
  EXPECT_EQ(labelled_rows(25, 0.2, 7), labelled_rows(25, 0.2, 7));
  EXPECT_NE(labelled_rows(25, 0.2, 7), labelled_rows(25, 0.2, 8));
  EXPECT_THROW(labelled_rows(25, 1.5, 7), std::invalid_argument);
}

TEST_F(ImportBio, HidesLabelsOfAllButAShare) {
  std::string tokens, tags, labels;
  for (int i = 0; i < 25; ++i) {
    tokens += "play " + std::to_string(i) + (i == 3 ? " bad\n" : "\n");
    tags += "O B-x\n";
    labels += "Play\n";
  }
  write("train", tokens, tags, labels);
  write("valid", "play\n", "O\n", "Play\n");
  write("test", "play\n", "O\n", "Play\n");
  const Imported all = import(folder_, {0.1}), some = import(folder_, {0.1, 0.25, 7});
  const std::vector<bool> labelled = labelled_rows(24, 0.25, 7);
  ASSERT_EQ(some.train.size(), 24U);
  EXPECT_EQ(some.labelled, 6);
  for (std::size_t i = 0; i < 24; ++i) {
    EXPECT_EQ(some.train[i].utterance(), all.train[i].utterance());
    ASSERT_EQ(some.train[i].calls.has_value(), labelled[i]) << i;
    if (!labelled[i]) continue;
    EXPECT_EQ(some.train[i].calls->front().arguments, all.train[i].calls->front().arguments);
  }
  EXPECT_TRUE(some.validation[0].calls && some.test[0].calls);
}

TEST_F(ImportBio, ReadsSnips) {
  const char* shared = std::getenv("RETORT_SHARED");
  const fs::path snips = fs::path(shared != nullptr ? shared : RETORT_SHARED_DEFAULT) / "data" / "snips-splits";
  if (!fs::exists(snips / "train" / "seq.in")) GTEST_SKIP() << "no SNIPS at " << snips;
  const Imported corpus = import(snips, {0.0});
  EXPECT_EQ(corpus.train.size(), 13084U);
  EXPECT_EQ(corpus.validation.size(), 700U);
  EXPECT_EQ(corpus.test.size(), 700U);
  EXPECT_TRUE(corpus.rejected.empty());
  ASSERT_EQ(corpus.tools.size(), 7U);
  std::set<std::string> slots;
  for (const task::Tool& tool : corpus.tools) {
    for (const auto& property : tool.parameters["properties"].items()) slots.insert(property.key());
  }
  EXPECT_EQ(slots.size(), 39U);
  const task::Example& first = corpus.train.front();
  EXPECT_EQ(first.utterance(), "listen to westbam alumb allergic on google music");
  EXPECT_EQ(first.calls->front().name, "PlayMusic");
  EXPECT_EQ(first.calls->front().arguments,
            (json{{"artist", "westbam"}, {"album", "allergic"}, {"service", {"google music"}}}))
      << "a row of PlayMusic has two services";
  std::size_t repeated = 0;
  for (const task::Example& example : corpus.train) {
    bool any = false;
    for (const auto& value : example.calls->front().arguments) {
      any = any || (value.is_array() && value.size() > 1);
    }
    repeated += any ? 1 : 0;
  }
  EXPECT_EQ(repeated, 61U);  // counted in seq.out with awk: rows in which a B- tag occurs twice
}

}  // namespace
}  // namespace retort::data
