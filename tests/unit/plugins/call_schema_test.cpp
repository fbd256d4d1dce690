// The host and the plugins that judge calls must agree on what a valid call is.
#include "call_schema.h"

#include <gtest/gtest.h>

#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "fixtures.h"
#include "host/base/json.h"
#include "task/call.h"

namespace retort::call_reward {
namespace {

using nlohmann::json;

json tools_with(const json& parameters) {
  return json::array({{{"type", "function"}, {"function", {{"name", "f"}, {"parameters", parameters}}}}});
}

/// What each side says of tools that it does not accept, or of a call of "f".
std::string of_host(const json& tools, const json& arguments) {
  try {
    return task::invalid_reason({"f", arguments}, task::tools_from_json(tools, "tools")).value_or("valid");
  } catch (const std::invalid_argument&) {
    return "no tools";
  }
}
std::string of_plugin(const json& tools, const json& arguments) {
  try {
    return CallSchema(tools).invalid_reason("f", arguments).value_or("valid");
  } catch (const std::invalid_argument&) {
    return "no tools";
  }
}

struct Case {
  const char* parameters;
  const char* arguments;
  bool valid;
};

TEST(CallSchema, DecidesAsTheHostDoes) {
  const Case cases[] = {
      {R"({"type":"object","properties":{"a":{"type":"integer"}}})", R"({"a":1})", true},
      {R"({"type":"object","properties":{"a":{"type":"integer"}}})", R"({"a":1.0})", true},
      {R"({"type":"object","properties":{"a":{"type":"integer"}}})", R"({"a":1.5})", false},
      {R"({"type":"object","properties":{"a":{"type":"integer"}}})", R"({"b":1})", false},
      {R"({"type":"object","properties":{"a":{}},"additionalProperties":true})", R"({"b":1})", true},
      {R"({"type":"object","additionalProperties":{"type":"string"}})", R"({"b":"x"})", true},
      {R"({"type":"object","additionalProperties":{"type":"string"}})", R"({"b":1})", false},
      {R"({"type":"object","patternProperties":{"^x":{"type":"integer"}}})", R"({"x1":1})", true},
      {R"({"type":"object","patternProperties":{"^x":{"type":"integer"}}})", R"({"y1":1})", false},
      {R"({"type":"object","properties":{"a":{}},"required":["a"]})", R"({})", false},
      {R"({"type":"object","properties":{"a":{"type":"string","pattern":"^[0-9]+$"}}})", "{\"a\":\"12\"}", true},
      {R"({"type":"object","properties":{"a":{"type":"string","pattern":"^[0-9]+$"}}})", "{\"a\":\"1x\"}", false},
      {R"({"type":"object"})", "[]", false},
      {R"({"type":"array"})", "{}", false},
      {R"({"type":7})", "{}", false},
      {"7", "{}", false}};
  for (const Case& one : cases) {
    const json tools = tools_with(json::parse(one.parameters)), arguments = json::parse(one.arguments);
    EXPECT_EQ(of_plugin(tools, arguments), of_host(tools, arguments)) << one.parameters << " " << one.arguments;
    EXPECT_EQ(of_plugin(tools, arguments) == "valid", one.valid) << one.parameters << " " << one.arguments;
  }
  const std::string bytes = "\xff\xfe";
  const json pattern = tools_with(json::parse(R"({"type":"object","properties":{"a":{"pattern":"^[a-z]*$"}}})"));
  EXPECT_EQ(of_plugin(pattern, {{"a", bytes}}), of_host(pattern, {{"a", bytes}}));
  EXPECT_NE(of_plugin(pattern, {{"a", bytes}}), "valid");
}

/// Real schemas with instances that are valid and that are not; each stands as one argument of a tool.
TEST(CallSchema, DecidesAsTheHostDoesOnRealSchemas) {
  const auto file = tests::shared_data("../cases/json-schema/handed.jsonl");
  RETORT_NEEDS(file);
  std::ifstream lines(file);
  int agreed = 0, valid = 0, compiled = 0;
  for (std::string line; std::getline(lines, line);) {
    const json group = json::parse(line);
    const json tools = tools_with({{"type", "object"}, {"properties", {{"value", group.at("schema")}}}});
    for (const json& test : group.at("tests")) {
      const json arguments = {{"value", test.at("data")}};
      const std::string host = of_host(tools, arguments), plugin = of_plugin(tools, arguments);
      EXPECT_EQ(plugin, host) << group.at("name");
      agreed += plugin == host ? 1 : 0;
      compiled += host == "no tools" ? 0 : 1;
      valid += host == "valid" ? 1 : 0;
    }
  }
  EXPECT_GT(agreed, 1500);
  EXPECT_GT(compiled, 880);  // the others use keywords that are refused, or refer to their own root
  EXPECT_GT(valid, 200);
}

}  // namespace
}  // namespace retort::call_reward
