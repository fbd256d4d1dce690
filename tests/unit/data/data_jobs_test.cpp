// Whole passes: what is kept keeps its bytes, what is left out is in rejected.jsonl with its reason.
#include "data/data_jobs.h"

#include <stdexcept>

#include "data/data_page.h"
#include "data/data_rows.h"
#include "data_fixture.h"

namespace retort::data {
namespace {

class DataJobs : public DataFolder {};
using Lines = std::vector<std::string>;

std::vector<std::string> reasons_of(const Lines& lines) {
  Lines reasons;
  for (const std::string& line : lines) reasons.push_back(nlohmann::json::parse(line).at("reason"));
  return reasons;
}

TEST_F(DataJobs, DuplicatesOfTheSameAnswerGo) {
  const std::string spaced = R"({ "messages" : [ {"role":"user","content":"turn on the hall light"} ] })";
  const Lines rows = {row_of("turn on the light", "on", "light"),
                      row_of("Turn on the light.", "on", "light"),
                      row_of("turn on the light", "off", "light"),
                      spaced,
                      "[]",
                      row_of("bye", "", "bye")};
  write("d/train.jsonl", rows);
  write("d/tools.json", {"[]"});
  const JobReport report = remove_duplicates(folder_ / "d", folder_ / "out", 1, false, {});
  EXPECT_EQ(report.read, 6);
  EXPECT_EQ(report.kept, 4);
  EXPECT_EQ(report.unusable, 1);
  EXPECT_EQ(report.removed, (std::map<std::string, std::int64_t>{{"the same words", 1}}));
  EXPECT_EQ(lines_of(folder_ / "out/train.jsonl"), (Lines{rows[0], rows[2], rows[3], rows[5]}));
  EXPECT_EQ(lines_of(folder_ / "out/rejected.jsonl").size(), 2U);
  EXPECT_TRUE(std::filesystem::exists(folder_ / "out/tools.json"));
  const JobReport any = remove_duplicates(folder_ / "d", folder_ / "any", 1, true, {});
  EXPECT_EQ(any.removed.at("the same words"), 2);
}

TEST_F(DataJobs, NearDuplicatesNameTheEarlierLine) {
  write("d/train.jsonl",
        {row_of("could you turn on the big light in the kitchen now please", "on", "x"), row_of("hello", "", "hi"),
         row_of("could you turn on the big light in the kitchen now", "on", "x"),
         row_of("could you turn on the big light in the kitchen now please", "on", "y")});
  const JobReport report = remove_duplicates(folder_ / "d", folder_ / "out", 0.8, false, {});
  EXPECT_EQ(report.kept, 3);
  EXPECT_EQ(reasons_of(lines_of(folder_ / "out/rejected.jsonl")), Lines{"train: nearly the same words as line 1"});
}

TEST_F(DataJobs, RejectedRowsAreReadWithSplitAndReason) {
  const std::string row = row_of("play jazz", "play", "jazz");
  write("d/train.jsonl", {row, row, "{"});
  remove_duplicates(folder_ / "d", folder_ / "out", 1, false, {});
  std::vector<DataRow> rows;
  for_each_rejected(folder_ / "out/rejected.jsonl", [&](DataRow& one) { rows.push_back(one); });
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].split, "train");
  EXPECT_EQ(rows[0].line, 2);
  EXPECT_EQ(rows[0].reason, "the same words as an earlier row");
  EXPECT_EQ(rows[0].text, row);
  EXPECT_EQ(rows[0].conversation.utterance(), "play jazz");
  EXPECT_TRUE(rows[1].conversation.messages.empty());
}

TEST_F(DataJobs, RowsOfTheTestGoFromTrain) {
  write("d/train.jsonl", {row_of("play jazz", "play", "jazz"), row_of("play rock", "play", "rock")});
  write("d/test.jsonl", {row_of("Play jazz!", "play", "jazz")});
  const JobReport report = remove_contaminated(folder_ / "d", folder_ / "out", {}, 8, 0.5, {});
  EXPECT_EQ(report.splits, (std::map<std::string, std::int64_t>{{"test", 1}, {"train", 1}}));
  EXPECT_EQ(reasons_of(lines_of(folder_ / "out/rejected.jsonl")), Lines{"train: holds 100 % of the words of test:1"});
  const auto other = write("benchmark.jsonl", {row_of("play rock", "play", "rock")});
  EXPECT_EQ(remove_contaminated(folder_ / "d", folder_ / "out2", other, 8, 0.5, {}).removed.at("all of a reference"),
            1);
  write("alone/train.jsonl", {row_of("x", "", "y")});
  EXPECT_THROW(remove_contaminated(folder_ / "alone", folder_ / "out3", {}, 8, 0.5, {}), std::invalid_argument);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out3"));
}

TEST_F(DataJobs, SplitsAreStratifiedAndTheSameForASeed) {
  Lines rows;
  for (int i = 0; i < 200; ++i)
    rows.push_back(row_of("say " + std::to_string(i), i % 10 == 0 ? "rare" : "common", std::to_string(i)));
  const auto file = write("rows.jsonl", rows);
  const JobReport report = split_rows(file, folder_ / "a", {0.1, 0.2}, 3, {});
  EXPECT_EQ(report.splits.at("validation"), 20);
  EXPECT_EQ(report.splits.at("test"), 40);
  std::int64_t rare = 0;
  for (const std::string& line : lines_of(folder_ / "a/test.jsonl")) rare += line.find("rare") != std::string::npos;
  EXPECT_EQ(rare, 4);
  split_rows(file, folder_ / "b", {0.1, 0.2}, 3, {});
  EXPECT_EQ(lines_of(folder_ / "a/test.jsonl"), lines_of(folder_ / "b/test.jsonl"));
  EXPECT_THROW(split_rows(file, folder_ / "c", {0.5, 0.5}, 3, {}), std::invalid_argument);
}

TEST_F(DataJobs, ATestedToolIsTrainedOn) {
  StratifiedChoice choice({0.45, 0.45}, 9);
  for (const char* stratum : {"a", "b", "c", "d", "e"}) EXPECT_EQ(choice.next(stratum), SplitName::train);
}

TEST_F(DataJobs, ExportWritesWhatLlamaFactoryLooksUp) {
  write("d/train.jsonl",
        {row_of("play jazz", "play", "jazz"), R"({"messages":[{"role":"user","content":"unanswered"}]})"});
  const JobReport report = export_rows(folder_ / "d", folder_ / "mine", ChatFormat::llama_factory, {});
  EXPECT_EQ(report.kept, 1);
  EXPECT_EQ(report.removed.at("unlabelled"), 1);
  std::ifstream info(folder_ / "mine/dataset_info.json");
  EXPECT_EQ(nlohmann::json::parse(info).at("mine_train").at("file_name"), "train.jsonl");
}

TEST(DataPage, ReasonsAreAFilterWhateverWasSaid) {
  DataPage page("rows", 2000);
  for (int i = 0; i < 1000; ++i) {
    DataRow row;
    row.split = "rejected";
    row.line = i + 1;
    row.text = "{}";
    row.reason =
        "refused: cannot read \"lamp " + std::to_string(i) + std::string(static_cast<std::size_t>(i), 'x') + "\"";
    page.take(row);
    row.reason = std::string("score: ") + static_cast<char>('a' + i % 26) + static_cast<char>('a' + i / 26 % 26);
    page.take(row);
  }
  const std::string html = page.render();
  EXPECT_NE(html.find("\">refused: cannot read &quot;…&quot; (1000)</option>"), std::string::npos);
  EXPECT_NE(html.find("\">another reason ("), std::string::npos);
  std::size_t options = 0;
  for (std::size_t at = html.find("<option"); at != std::string::npos; at = html.find("<option", at + 1)) ++options;
  EXPECT_LT(options, 220U);
}

TEST_F(DataJobs, WhatIsStoppedOrInTheWayLeavesNothing) {
  Lines rows(3000, row_of("play jazz", "play", "jazz"));
  write("d/train.jsonl", rows);
  EXPECT_THROW(remove_duplicates(folder_ / "d", folder_ / "out", 1, false,
                                 [](std::int64_t) { throw std::runtime_error("stop"); }),
               std::runtime_error);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out.part"));
  std::filesystem::create_directories(folder_ / "there");
  write("mine.part/notes.txt", {"not ours"});
  EXPECT_THROW(remove_duplicates(folder_ / "d", folder_ / "mine", 1, false, {}), std::invalid_argument);
  EXPECT_EQ(lines_of(folder_ / "mine.part/notes.txt"), Lines{"not ours"});
  EXPECT_THROW(remove_duplicates(folder_ / "d", folder_ / "there", 1, false, {}), std::invalid_argument);
}

}  // namespace
}  // namespace retort::data
