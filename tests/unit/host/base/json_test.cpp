// Malformed JSON: always the caller's fault, with the place where there is one.
#include "host/base/json.h"

#include <gtest/gtest.h>

namespace retort::host {
namespace {

std::string refusal(const std::string& text) {
  try {
    parse_json(text, "f.json");
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "accepted";
}

TEST(ParseJson, SaysWhereItStopped) {
  EXPECT_EQ(refusal("{\"a\": 1,\n \"b\" 2}").substr(0, 26), "f.json:2:6: not valid JSON");
  EXPECT_EQ(refusal(R"({"a": {"b": 1, "b": 2}})"), "f.json: the key \"b\" stands twice in one object; keep one");
  EXPECT_EQ(parse_json("// comment\n[1]", "f.json"), Json::array({1}));
}

TEST(ParseJson, RefusesNumbersThatDoNotFit) {
  EXPECT_EQ(refusal(R"({"a": 1e3081})"), "f.json: not valid JSON: number overflow parsing '1e3081'");
}

TEST(ParseJson, RefusesNestingThatWouldExhaustTheStack) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_EQ(refusal(nested(512)), "accepted");
  EXPECT_EQ(refusal(nested(3'000'000)), "f.json: nested deeper than 512 arrays and objects");
  EXPECT_EQ(refusal(std::string(600, '[')), "f.json: nested deeper than 512 arrays and objects");
}

}  // namespace
}  // namespace retort::host
