// What the tests of cases share: where a case lies, and the program run on it.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "child_command.h"
#include "fixtures.h"

namespace retort::cases {

using Json = nlohmann::json;
using tests::contains;

/// $RETORT_SHARED/cases/NAME.
inline std::filesystem::path case_folder(const std::string& name) {
  return tests::shared_data("x").parent_path().parent_path() / "cases" / name;
}

/// Runs `retort` in a folder of its own.
class CaseTest : public ::testing::Test {
 protected:
  apps::Outcome retort(const std::vector<std::string>& arguments, const std::filesystem::path& input = "/dev/null") {
    return apps::ChildCommand(folder_.path(), arguments, {}, input).wait();
  }
  /// What it printed as JSON; the test fails where it did not succeed.
  Json json_of(const std::vector<std::string>& arguments, const std::filesystem::path& input = "/dev/null") {
    const apps::Outcome outcome = retort(arguments, input);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return Json::parse(outcome.out, nullptr, false);
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  tests::TemporaryFolder folder_;
};

}  // namespace retort::cases

#define RETORT_CASE(name)                                 \
  const std::filesystem::path folder = case_folder(name); \
  RETORT_NEEDS(folder)
