// Reading tools and calls, and why a call is invalid.
#include "task/call.h"

#include "fixtures.h"
#include "host/base/json.h"

namespace retort::task {
namespace {

using tests::contains;
using tests::error_of;
using Json = nlohmann::json;

Json light_tools() {
  return Json::parse(R"([{"type": "function", "function": {"name": "light_set", "description": "d", "parameters": {
    "type": "object", "required": ["room"], "properties": {
      "room": {"type": "string", "enum": ["kitchen", "hall"]},
      "level": {"type": "integer", "minimum": 0, "maximum": 100},
      "name": {"type": "string", "minLength": 2, "pattern": "^[a-zé]+$"},
      "colour": {"type": "array", "items": {"type": "number"}, "maxItems": 3},
      "fade": {"type": "object", "properties": {"a/b": {"type": "boolean"}}}}}}},
    {"type": "function", "function": {"name": "open", "parameters": {"type": "object", "additionalProperties": true}}},
    {"type": "function", "function": {"name": "pattern", "parameters": {"type": "object",
      "patternProperties": {"^x": {"type": "integer"}}}}},
    {"type": "function", "function": {"name": "stop"}}])");
}

std::string reason(const std::string& name, const char* arguments) {
  static const std::vector<Tool> tools = tools_from_json(light_tools(), "tools.json");
  return invalid_reason({name, Json::parse(arguments)}, tools).value_or("");
}

TEST(Call, ValidCalls) {
  EXPECT_EQ(reason("light_set", R"({"room": "kitchen"})"), "");
  EXPECT_EQ(reason("light_set", R"({"room":"hall","level":100,"name":"été","colour":[1,0.5],"fade":{"a/b":true}})"),
            "");
  EXPECT_EQ(reason("stop", "{}"), "");
  EXPECT_EQ(reason("open", R"({"anything": [1]})"), "");
  EXPECT_EQ(reason("pattern", R"({"x1": 1})"), "");
}

TEST(Call, InvalidCallsSayWhy) {
  const std::array<const char*, 4> cases[] = {
      {"lamp", "{}", "unknown tool \"lamp\""},
      {"light_set", R"({"room":"hall","rooms":1})", "unknown argument \"rooms\" of light_set", "it has: colour, fade"},
      {"stop", R"({"a":1})", "unknown argument \"a\"", "it has: none"},
      {"light_set", "{}", "lacks the required argument \"room\""},
      {"light_set", R"({"room":"attic"})", "/room: ", "found \"attic\""},
      {"light_set", R"({"room":1})", "/room: ", "found 1"},
      {"light_set", R"({"room":"hall","level":101})", "/level: ", "found 101"},
      {"light_set", R"({"room":"hall","level":"5"})", "/level: ", "found \"5\""},
      {"light_set", R"({"room":"hall","level":1.5})", "/level: ", "found 1.5"},
      {"light_set", R"({"room":"hall","level":null})", "/level: "},
      {"light_set", R"({"room":"hall","name":"é"})", "/name: "},
      {"light_set", R"({"room":"hall","name":"A1"})", "/name: "},
      {"light_set", R"({"room":"hall","colour":[1,"x"]})", "/colour/1: ", "found \"x\""},
      {"light_set", R"({"room":"hall","colour":[1,2,3,4]})", "/colour: "},
      {"light_set", R"({"room":"hall","fade":{"a/b":1}})", "fade"},
      {"light_set", "[]", "expected an object, found []"},
      {"pattern", R"({"y":1})", "unknown argument \"y\" of pattern"},
      {"pattern", R"({"x1":"a"})", "arguments of pattern"}};
  for (const auto& [tool, arguments, first, second] : cases) {
    const std::string found = reason(tool, arguments);
    EXPECT_TRUE(contains(found, first) && contains(found, second == nullptr ? "" : second))
        << arguments << ": " << found;
  }
}

TEST(Call, LongStringsAgainstPatternsAreFine) {
  EXPECT_TRUE(contains(reason("light_set", R"({"room":"hall","name":"A"})"), "/name"));
  const std::vector<Tool> tools = tools_from_json(light_tools(), "tools.json");
  const Call call{"light_set", {{"room", "hall"}, {"name", std::string(1'000'000, 'a')}}};
  EXPECT_EQ(invalid_reason(call, tools), std::nullopt);
}

TEST(Call, EachToolSetIsCheckedByItsOwnSchema) {
  Json json = light_tools();
  json[0]["function"]["parameters"]["properties"]["room"]["enum"] = {"attic"};
  EXPECT_EQ(invalid_reason({"light_set", {{"room", "attic"}}}, tools_from_json(json, "t")), std::nullopt);
  EXPECT_NE(reason("light_set", R"({"room":"attic"})"), "");
}

TEST(Tools, RoundTrip) {
  const auto tools = tools_from_json(light_tools(), "tools.json");
  EXPECT_EQ(tools.size(), 4U);
  EXPECT_EQ(tools[0].description, "d");
  EXPECT_EQ(tools_to_json(tools_from_json(tools_to_json(tools), "again")), tools_to_json(tools));
}

TEST(Tools, RefusesByPointer) {
  const std::pair<const char*, Json> cases[] = {{"/0/type", "tool"},
                                                {"/0/function/name", ""},
                                                {"/0/function/name", "a|>b"},
                                                {"/0/function/name", std::string(65, 'a')},
                                                {"/0/function/name", 1},
                                                {"/0/function/parameters", {{"type", "array"}}},
                                                {"/0/function/parameters/properties", 1},
                                                {"/0/function/parameters/properties/room/type", "strin"},
                                                {"/0/function/parameters/properties/level/minimum", "x"},
                                                {"/0/function/parameters/required", 5},
                                                {"/0/function", 7}};
  for (const auto& [pointer, value] : cases) {
    Json json = light_tools();
    json[Json::json_pointer(pointer)] = value;
    const std::string error = error_of([&] { tools_from_json(json, "tools.json"); });
    EXPECT_TRUE(contains(error, "tools.json: /0/")) << pointer << ": " << error;
  }
  Json twice = light_tools();
  twice[1] = twice[0];
  EXPECT_TRUE(contains(error_of([&] { tools_from_json(twice, "t"); }), "/1/function/name: expected each tool once"));
  EXPECT_THROW(tools_from_json(Json::object(), "t"), std::invalid_argument);
}

TEST(Calls, JsonAndExactMatch) {
  const Json json = Json::parse(R"([{"name":"a","arguments":{"x":1,"y":[1,2]}},{"name":"b","arguments":{}}])");
  const auto calls = calls_from_json(json, "calls");
  EXPECT_EQ(calls_to_json(calls), json);
  EXPECT_TRUE(exact_match(calls, calls));
  EXPECT_FALSE(exact_match(calls, {calls[1], calls[0]}));
  EXPECT_FALSE(exact_match(calls, {calls[0]}));
  auto other = calls;
  other[0].arguments["x"] = 1.0;
  EXPECT_TRUE(exact_match(calls, other));
  other[0].arguments["x"] = "1";
  EXPECT_FALSE(exact_match(calls, other));
  for (const char* bad :
       {R"({})", R"([1])", R"([{"name":"a"}])", R"([{"name":1,"arguments":{}}])", R"([{"name":"a","arguments":"{}"}])"})
    EXPECT_THROW(calls_from_json(Json::parse(bad), "calls"), std::invalid_argument) << bad;
}

/// Draft 7 of the JSON Schema test suite: the keywords that tools' schemas use must decide as the suite says.
TEST(Call, AgreesWithTheJsonSchemaTestSuite) {
  const auto folder = tests::shared_data("json-schema-test-suite/tests/draft7");
  RETORT_NEEDS(folder);
  int checked = 0;
  for (const char* keyword : {"enum", "required", "properties", "additionalProperties", "minimum", "maximum", "pattern",
                              "minLength", "maxLength", "items", "minItems", "maxItems", "anyOf", "allOf", "const"}) {
    for (const Json& group : host::read_json(folder / (std::string(keyword) + ".json"))) {
      // The suite's schemas are those of one argument here.
      const Json parameters = {{"$schema", "http://json-schema.org/draft-07/schema#"},
                               {"type", "object"},
                               {"properties", {{"value", group.at("schema")}}}};
      const std::vector<Tool> tools = {{"f", "", parameters}};
      if (contains(group.at("schema").dump(), "$ref")) continue;
      for (const Json& test : group.at("tests")) {
        const auto found = invalid_reason({"f", {{"value", test.at("data")}}}, tools);
        EXPECT_EQ(!found.has_value(), test.at("valid").get<bool>())
            << keyword << ": " << group.at("description") << ": " << test.at("description") << ": "
            << found.value_or("");
        ++checked;
      }
    }
  }
  EXPECT_GT(checked, 200);
}

}  // namespace
}  // namespace retort::task
