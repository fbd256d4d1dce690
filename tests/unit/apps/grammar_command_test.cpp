// retort grammar as people run it.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "child_command.h"

namespace retort::apps {
namespace {

class GrammarCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) / ("retort-grammar-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }

  Outcome retort(const std::vector<std::string>& arguments) const { return ChildCommand(folder_, arguments).wait(); }

  std::filesystem::path folder_;
};

TEST_F(GrammarCommand, SaysOfEachInstanceWhetherItIsTaken) {
  const std::string schema = write(
      "schema.json", R"({"type":"object","properties":{"b":{"type":"integer"},"a":{"enum":["x"]}},"required":["a"]})");
  const std::string instances = write(
      "instances.jsonl", "{\"a\": \"x\", \"b\": 2.0}\n{\"b\":1,\"a\":\"x\"}\n\n{\"b\": 1}\n{\"a\":\"y\"}\n{\"a\":\n");
  const Outcome outcome = retort({"grammar", schema, "--test", instances});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  std::istringstream lines(outcome.out);
  std::vector<bool> accepted;
  for (std::string line; std::getline(lines, line);) accepted.push_back(nlohmann::json::parse(line).at("accepted"));
  EXPECT_EQ(accepted, (std::vector<bool>{true, true, false, false, false}));
  EXPECT_TRUE(nlohmann::json::parse(retort({"grammar", schema, "--json"}).out).at("compiled"));
}

TEST_F(GrammarCommand, RefusesWithThePointer) {
  const std::string schema = write("schema.json", R"({"properties":{"a":{"not":{"type":"null"}}}})");
  const Outcome outcome = retort({"grammar", schema});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("/properties/a/not"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace retort::apps
