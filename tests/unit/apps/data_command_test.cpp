// retort data as people run it.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "child_command.h"

namespace retort::apps {
namespace {

constexpr const char* three_rows =
    R"({"messages":[{"role":"user","content":"play <b>jazz</b>"},{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"play","arguments":"{\"what\":\"jazz\"}"}}]}]}
{"messages":[{"role":"user","content":"Play b jazz b!"},{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"play","arguments":"{\"what\":\"jazz\"}"}}]}]}
{"messages":"none"}
)";

class DataCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) / ("retort-data-command-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    data_ = (folder_ / "rows.jsonl").string();
    std::ofstream(data_) << three_rows;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  Outcome retort(const std::vector<std::string>& arguments) const { return ChildCommand(folder_, arguments).wait(); }

  std::filesystem::path folder_;
  std::string data_;
};

TEST_F(DataCommand, CleansAndShows) {
  const std::string clean = (folder_ / "clean").string(), page = (folder_ / "page.html").string();
  const Outcome dedup = retort({"data", "dedup", data_, "--out", clean, "--json"});
  ASSERT_EQ(dedup.code, 0) << dedup.err;
  const auto counts = nlohmann::json::parse(dedup.out);
  EXPECT_EQ(counts["kept"], 1);
  EXPECT_EQ(counts["unusable"], 1);
  EXPECT_EQ(counts["removed"]["the same words"], 1);
  EXPECT_EQ(retort({"data", "dedup", data_, "--out", clean}).code, 2);  // it is there
  const Outcome shown = retort({"data", "show", clean, "--out", page});
  ASSERT_EQ(shown.code, 0);
  EXPECT_NE(shown.out.find(": 1 rows, 0 that cannot be used, 2 rejected before"), std::string::npos) << shown.out;
  std::ifstream file(page);
  std::stringstream html;
  html << file.rdbuf();
  EXPECT_NE(html.str().find("play &lt;b&gt;jazz&lt;/b&gt;"), std::string::npos);
  EXPECT_NE(html.str().find("the same words as an earlier row"), std::string::npos);
}

TEST_F(DataCommand, ImportsATableAndRedactsIt) {
  const std::string table = (folder_ / "table.csv").string(), rows = (folder_ / "rows").string();
  std::ofstream(table) << "text,tool,to\nwrite to bo@x.de,mail,bo@x.de\nshort\n";
  const Outcome imported = retort({"data", "import", table, "--from", "csv", "--out", rows});
  ASSERT_EQ(imported.code, 0) << imported.err;
  EXPECT_NE(imported.out.find("2 rows read, 1 kept, train 1"), std::string::npos) << imported.out;
  EXPECT_NE(imported.out.find("1 tools, found in the calls"), std::string::npos) << imported.out;
  const Outcome redacted = retort({"data", "redact", rows, "--out", (folder_ / "clean").string(), "--json"});
  ASSERT_EQ(redacted.code, 0) << redacted.err;
  EXPECT_EQ(nlohmann::json::parse(redacted.out)["changed"]["email"], 2);
  EXPECT_EQ(retort({"data", "import", table, "--from", "parquet", "--out", rows + "2"}).code, 2);
  EXPECT_EQ(retort({"data", "redact", rows, "--pattern", "x", "--out", rows + "2"}).code, 2);
  EXPECT_EQ(retort({"data", "balance", rows, "--most", "0", "--out", rows + "2"}).code, 2);
  EXPECT_FALSE(std::filesystem::exists(rows + "2.part"));
  const Outcome none = retort({"data", "import", data_, "--from", "alpaca", "--out", rows + "3"});
  EXPECT_EQ(none.code, 1);
  EXPECT_NE(none.err.find("no row could be used; is --from alpaca right?"), std::string::npos) << none.err;
  EXPECT_TRUE(std::filesystem::exists(rows + "3/rejected.jsonl"));  // it says why
}

TEST_F(DataCommand, SaysWhatIsMissing) {
  EXPECT_EQ(retort({"data"}).code, 2);
  EXPECT_EQ(retort({"data", "purge", data_}).code, 2);
  EXPECT_EQ(retort({"data", "stats", (folder_ / "nowhere").string()}).code, 2);
  EXPECT_EQ(retort({"data", "export", data_, "--format", "alpaca", "--out", (folder_ / "x").string()}).code, 2);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "x.part"));
  EXPECT_EQ(retort({"data", "split", data_, "--test", "nan", "--out", (folder_ / "x").string()}).code, 2);
  EXPECT_EQ(retort({"data", "import", folder_.string(), "--from", "clinc", "--out", (folder_ / "x").string()}).code, 2);
  const std::string foreign = (folder_ / "foreign.jsonl").string();
  std::ofstream(foreign) << "{\"question\":\"play\"}\n";
  const Outcome none = retort({"data", "dedup", foreign, "--out", (folder_ / "none").string()});
  EXPECT_EQ(none.code, 1);
  EXPECT_NE(none.err.find("no row is left of 1"), std::string::npos) << none.err;
  const Outcome stats = retort({"data", "stats", data_});
  EXPECT_EQ(stats.code, 0);
  EXPECT_NE(stats.out.find("1 rejected"), std::string::npos) << stats.out;
}

}  // namespace
}  // namespace retort::apps
