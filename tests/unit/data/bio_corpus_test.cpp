// BIO corpora as calls: a corpus made by hand, broken ones, and SNIPS.
#include "data/bio_corpus.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

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
  const ImportedCorpus corpus = import_bio(folder_, 0);
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
  const ImportedCorpus corpus = import_bio(folder_, 0.5);
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
  EXPECT_THROW(import_bio(folder_, 0.1), std::runtime_error);
}

TEST_F(ImportBio, RefusesFilesThatDoNotBelongTogether) {
  write("train", "a\nb\n", "O\nO\n", "X\n");
  EXPECT_THROW(read_bio(folder_ / "train"), std::runtime_error);
  EXPECT_THROW(read_bio(folder_ / "nowhere"), std::runtime_error);
}

TEST_F(ImportBio, HidesLabelsOfAllButAShare) {
  std::vector<task::Example> all;
  for (int i = 0; i < 25; ++i) all.push_back(to_example("play " + std::to_string(i), "O B-x", "Play"));
  const auto labelled = [&](double share, std::uint64_t seed) {
    std::vector<task::Example> rows = all;
    const std::size_t kept = hide_labels(rows, share, seed);
    std::vector<std::string> words;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      EXPECT_EQ(rows[i].utterance(), all[i].utterance());
      if (!rows[i].calls) continue;
      EXPECT_EQ(rows[i].calls->front().arguments, all[i].calls->front().arguments);
      words.push_back(rows[i].utterance());
    }
    EXPECT_EQ(kept, words.size());
    return words;
  };
  EXPECT_EQ(labelled(1, 7).size(), 25U);
  EXPECT_EQ(labelled(0, 7).size(), 0U);
  EXPECT_EQ(labelled(0.01, 7).size(), 1U);
  EXPECT_EQ(labelled(0.2, 7).size(), 5U);
  EXPECT_EQ(labelled(0.2, 7), labelled(0.2, 7));
  EXPECT_NE(labelled(0.2, 7), labelled(0.2, 8));
  EXPECT_THROW(hide_labels(all, 1.5, 7), std::invalid_argument);
  std::vector<task::Example> none;
  EXPECT_EQ(hide_labels(none, 0.5, 7), 0U);
}

TEST_F(ImportBio, ReadsSnips) {
  const char* shared = std::getenv("RETORT_SHARED");
  const fs::path snips = fs::path(shared != nullptr ? shared : RETORT_SHARED_DEFAULT) / "data" / "snips-splits";
  if (!fs::exists(snips / "train" / "seq.in")) GTEST_SKIP() << "no SNIPS at " << snips;
  const ImportedCorpus corpus = import_bio(snips, 0.0);
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
