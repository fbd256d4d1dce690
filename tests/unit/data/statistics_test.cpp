// Counts of a data set made by hand.
#include "data/statistics.h"

#include "data_fixture.h"

namespace retort::data {
namespace {

class StatisticsTest : public DataFolder {};

TEST_F(StatisticsTest, CountWhatIsThere) {
  write("d/train.jsonl", {row_of("turn on the light", "on", "light"), row_of("Turn on the light!", "on", "light"),
                          row_of("turn on the light", "off", "light"), row_of("hello there", "", "hi"), "{broken",
                          R"({"messages":[{"role":"user","content":"what time is it now"}]})"});
  write("d/test.jsonl", {row_of("hello there", "", "hi"), row_of("turn it off", "off", "it")});
  write("d/rejected.jsonl", {"{}"});
  Statistics statistics;
  task::ReadingNotes notes;
  for_each_row(data_files(folder_ / "d"), notes, [&](DataRow& row) { statistics.take(row); });
  ASSERT_EQ(statistics.splits().size(), 2U);
  const auto& [name, train] = statistics.splits()[0];
  EXPECT_EQ(name, "train");
  EXPECT_EQ(train.rows.kept(), 5);
  EXPECT_EQ(train.rows.rejected(), 1);
  EXPECT_EQ(train.unlabelled, 1);
  EXPECT_EQ(train.no_call, 1);
  EXPECT_EQ(train.repeated, 1);
  EXPECT_EQ(train.contradicting, 1);
  EXPECT_EQ(train.calls_per_answer, (std::map<std::size_t, std::int64_t>{{0, 1}, {1, 3}}));
  EXPECT_EQ(train.tools.at("on").calls, 2);
  EXPECT_EQ(train.tools.at("on").arguments.at("value"), 2);
  EXPECT_EQ(quantile(train.words_per_row, 0.5), 4U);
  EXPECT_EQ(quantile(train.words_per_row, 1), 5U);
  const SplitStatistics& test = statistics.splits()[1].second;
  EXPECT_EQ(test.in_earlier, 1);
  EXPECT_EQ(test.contradicting, 0);
  const nlohmann::json json = to_json(statistics.splits());
  EXPECT_DOUBLE_EQ(json["splits"]["train"]["tools"]["on"]["share"].get<double>(), 2.0 / 3.0);
  EXPECT_NE(to_text(statistics.splits(), 1).find("and 1 more tools"), std::string::npos);
}

TEST_F(StatisticsTest, SayWhereThereAreNoRows) {
  EXPECT_THROW(data_files(folder_ / "missing"), std::invalid_argument);
  EXPECT_THROW(data_files(folder_), std::invalid_argument);
}

}  // namespace
}  // namespace retort::data
