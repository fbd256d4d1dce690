// Small data sets in a folder of their own.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

namespace retort::data {

/// {"messages": [user, assistant]}: one call of `tool` with {"value": value}, or text where `tool` is "".
inline std::string row_of(const std::string& utterance, const std::string& tool, const std::string& value = "") {
  nlohmann::json answer = {{"role", "assistant"}};
  if (tool.empty())
    answer["content"] = value;
  else
    answer["tool_calls"] = {{{"type", "function"},
                             {"id", "call_0"},
                             {"function", {{"name", tool}, {"arguments", nlohmann::json{{"value", value}}.dump()}}}}};
  return nlohmann::json{{"messages", {{{"role", "user"}, {"content", utterance}}, answer}}}.dump();
}

class DataFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::path(testing::TempDir()) / ("retort-data-" + std::to_string(::getpid()) + "-" +
                                                     ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path write(const std::string& name, const std::vector<std::string>& lines) {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream file(folder_ / name, std::ios::binary);
    for (const std::string& line : lines) file << line << '\n';
    return folder_ / name;
  }
  static std::vector<std::string> lines_of(const std::filesystem::path& file) {
    std::ifstream stream(file);
    std::vector<std::string> lines;
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
  }

  std::filesystem::path folder_;
};

}  // namespace retort::data
