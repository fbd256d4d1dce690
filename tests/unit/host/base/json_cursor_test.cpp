// Errors name origin, pointer, expected and found; JSON from data is read strictly.
#include "host/base/json_cursor.h"

#include "fixtures.h"

namespace retort::host {
namespace {

using tests::contains;
using tests::error_of;

TEST(JsonCursor, NamesThePlaceOfAnError) {
  const auto json = nlohmann::json::parse(R"({"a/b": [1, {"c": "x"}]})");
  const JsonCursor root(json, "file.json");
  const std::string message = error_of([&] { root.at("a/b").at(1).at("c").integer(0, 9); });
  EXPECT_EQ(message, "file.json: /a~1b/1/c: expected a whole number from 0 to 9, found \"x\"");
  EXPECT_TRUE(contains(error_of([&] { root.at("z"); }), "expected an object with the key \"z\""));
  EXPECT_TRUE(contains(error_of([&] { root.at("a/b").at(2); }), "at least 3"));
}

TEST(JsonCursor, IntegersStayInRange) {
  const auto json = nlohmann::json::parse("[5, -1, 18446744073709551615, 1.5]");
  const JsonCursor root(json, "o");
  EXPECT_EQ(root.at(std::size_t{0}).integer(5, 5), 5);
  EXPECT_THROW(root.at(1).integer(0, 9), std::invalid_argument);
  EXPECT_THROW(root.at(2).integer(-1, INT64_MAX), std::invalid_argument);
  EXPECT_THROW(root.at(3).integer(0, 9), std::invalid_argument);
}

TEST(StrictJson, RefusesWhatDataMustNotHold) {
  EXPECT_EQ(parse_strict_json("[1, {\"a\": 1}]").size(), 2U);
  EXPECT_TRUE(contains(error_of([] { parse_strict_json(R"({"a":1,"a":2})"); }), "twice"));
  EXPECT_TRUE(contains(error_of([] { parse_strict_json("[1] // no"); }), "not valid JSON"));
  EXPECT_TRUE(contains(error_of([] { parse_strict_json("\"\xff\""); }), "UTF-8"));
  EXPECT_TRUE(contains(error_of([] { parse_strict_json(std::string(100'000, '[')); }), "nested deeper"));
  EXPECT_EQ(parse_strict_json("[[1]]", 2)[0][0], 1);
}

TEST(StrictJson, ExcerptsDoNotCutCharacters) {
  EXPECT_EQ(excerpt("ääää", 4), "\"ä…");
  EXPECT_EQ(excerpt("ab", 4), "\"ab\"");
}

}  // namespace
}  // namespace retort::host
