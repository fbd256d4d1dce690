// Arguments of calls: cases 10, 11, 12 and 19 of the shared cases among them.
#include "schema/argument_schema.h"

#include <gtest/gtest.h>

#include <fstream>

#include "fixtures.h"
#include "host/base/json_cursor.h"
#include "task/call.h"

namespace retort::schema {
namespace {

bool valid(const char* parameters, const char* arguments) {
  return !ArgumentSchema(Json::parse(parameters)).invalid_reason("f", Json::parse(arguments)).has_value();
}

TEST(ArgumentSchema, OpenArguments) {
  const char* open = R"({"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":true})";
  EXPECT_TRUE(valid(open, R"({"a":"x","b":1})"));
  const char* patterns =
      R"({"type":"object","patternProperties":{"^x_":{"type":"integer"}},"additionalProperties":false})";
  EXPECT_TRUE(valid(patterns, R"({"x_a":1})"));
  EXPECT_FALSE(valid(patterns, R"({"x_a":"s"})"));
  EXPECT_FALSE(valid(patterns, R"({"y":1})"));
  const char* all_of = R"({"type":"object","allOf":[{"properties":{"a":{"type":"string"}},"required":["a"]}]})";
  EXPECT_TRUE(valid(all_of, R"({"a":"x"})"));
  EXPECT_FALSE(valid(all_of, R"({"a":1})"));
  EXPECT_FALSE(valid(all_of, R"({})"));
  EXPECT_FALSE(valid(all_of, R"({"a":"x","b":1})"));
}

TEST(ArgumentSchema, Draft2020) {
  const char* sibling =
      R"({"type":"object","properties":{"a":{"$ref":"#/$defs/T","maximum":5}},"$defs":{"T":{"type":"integer"}}})";
  EXPECT_TRUE(valid(sibling, R"({"a":1})"));
  EXPECT_FALSE(valid(sibling, R"({"a":9})"));
  const char* dependent = R"({"type":"object","properties":{"a":{},"b":{}},"dependentRequired":{"a":["b"]}})";
  EXPECT_FALSE(valid(dependent, R"({"a":"x"})"));
  EXPECT_TRUE(valid(dependent, R"({"a":"x","b":"y"})"));
  const char* contains =
      R"({"type":"object","properties":{"a":{"type":"array","contains":{"type":"integer"},"minContains":2}}})";
  EXPECT_FALSE(valid(contains, R"({"a":[1,"x"]})"));
  EXPECT_TRUE(valid(contains, R"({"a":[1,2]})"));
  const char* prefix =
      R"({"type":"object","properties":{"a":{"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}],"items":false}}})";
  EXPECT_TRUE(valid(prefix, R"({"a":[1,"x"]})"));
  EXPECT_FALSE(valid(prefix, R"({"a":["x",1]})"));
  EXPECT_FALSE(valid(prefix, R"({"a":[1,"x",3]})"));
}

TEST(ArgumentSchema, NumbersAndFormats) {
  const char* integer = R"({"type":"object","properties":{"a":{"type":"integer"},"d":{"format":"date"}}})";
  EXPECT_TRUE(valid(integer, R"({"a":1e20})"));
  EXPECT_TRUE(valid(integer, R"({"a":2.0})"));
  EXPECT_FALSE(valid(integer, R"({"a":2.5})"));
  EXPECT_TRUE(valid(integer, R"({"d":"tomorrow"})"));  // an annotation
  EXPECT_TRUE(valid(R"({"type":"object","properties":{"a":{"multipleOf":0.01}}})", R"({"a":19.99})"));
  EXPECT_FALSE(valid(R"({"type":"object","properties":{"a":{"multipleOf":0.01}}})", R"({"a":19.999})"));
}

TEST(ArgumentSchema, BadPatternsNameToolAndArgument) {
  const Json tools = Json::parse(
      R"([{"type":"function","function":{"name":"list_events","parameters":{"type":"object","properties":{"date":{"type":"string","pattern":"(unclosed"}}}}}])");
  try {
    task::tools_from_json(tools, "tools.json");
    FAIL() << "expected a refusal";
  } catch (const std::invalid_argument& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("/properties/date/pattern"), std::string::npos) << text;
    EXPECT_NE(text.find("list_events"), std::string::npos) << text;
  }
}

TEST(ArgumentSchema, IntegersBeyond64BitsAreRefused) {
  EXPECT_THROW(host::parse_strict_json(R"({"limit":123456789012345678901234567890})"), std::invalid_argument);
  EXPECT_THROW(host::parse_strict_json("-9223372036854775809"), std::invalid_argument);
  EXPECT_NO_THROW(host::parse_strict_json("[18446744073709551615,-9223372036854775808,1e30,1234567890123456789012.5]"));
  EXPECT_NO_THROW(host::parse_strict_json(R"({"12345678901234567890123":"12345678901234567890123\"1"})"));
}

}  // namespace
}  // namespace retort::schema
