// Parameters against schemas: every finding, every default, and what crosses the ABI.
#include "host/plugin/parameter_schema.h"

#include <gtest/gtest.h>

#include <map>

#include "host/plugin/plugin_error.h"

namespace retort::host {
namespace {

const Json schema = Json::parse(R"({
  "type": "object",
  "properties": {
    "temperature": {"type": "number", "default": 2, "exclusiveMinimum": 0, "maximum": 10, "description": "softmax"},
    "top_k": {"type": "integer", "default": 8, "minimum": 1},
    "tail": {"type": "string", "enum": ["bucket", "drop"], "default": "bucket"},
    "verbose": {"type": "boolean", "default": false},
    "layers": {"type": "array", "items": {"type": "integer", "minimum": 0}, "default": [], "maxItems": 3},
    "path": {"type": "string", "format": "path-exists"},
    "optimizer": {"type": "object", "properties": {"learning_rate": {"type": "number", "default": 0.001, "unit": "1/step"}}},
    "extra": {"type": "object"}
  },
  "required": [], "additionalProperties": false})");

std::vector<std::string> findings(Json& parameters, const Json& against = schema) {
  std::vector<Diagnostic> diagnostics;
  validate_parameters(against, parameters, "/stages/0/kd", diagnostics);
  std::vector<std::string> texts;
  for (const Diagnostic& diagnostic : diagnostics) texts.push_back(to_string(diagnostic));
  return texts;
}

std::vector<std::string> findings_of(const char* text, const Json& against = schema) {
  Json parameters = Json::parse(text);
  return findings(parameters, against);
}

using Texts = std::vector<std::string>;

TEST(Parameters, DefaultsAreFilledInAndCanonical) {
  Json parameters;
  EXPECT_EQ(findings(parameters), Texts());
  EXPECT_EQ(parameters.dump(), R"({"layers":[],"optimizer":{"learning_rate":0.001},"tail":"bucket","temperature":2.0,)"
                               R"("top_k":8,"verbose":false})");
  Json given = {{"temperature", 2}, {"top_k", 8.0}};
  EXPECT_EQ(findings(given), Texts());
  EXPECT_EQ(given, parameters);  // 2 and 2.0 are the same temperature, 8.0 and 8 the same count
  EXPECT_EQ(given.dump(), parameters.dump());
}

TEST(Parameters, EveryMistakeIsReportedAtItsPlace) {
  EXPECT_EQ(
      findings_of(R"({"temprature": 1, "top_k": 0, "tail": "buckt", "verbose": 1, "layers": [1, -1, "x"]})"),
      (Texts{"/stages/0/kd/layers/1: expected at least 0, found -1",
             "/stages/0/kd/layers/2: expected an integer, found the string \"x\"",
             "/stages/0/kd/tail: expected one of \"bucket\", \"drop\", found the string \"buckt\" (did you mean "
             "\"bucket\"?)",
             "/stages/0/kd/temprature: unknown parameter \"temprature\" (did you mean \"temperature\"?)",
             "/stages/0/kd/top_k: expected at least 1, found 0 (leave it out for the default 8)",
             "/stages/0/kd/verbose: expected a boolean, found the number 1 (leave it out for the default false)"}));
}

TEST(Parameters, BoundsAreInclusiveOrNotAsTheSchemaSays) {
  EXPECT_EQ(findings_of(R"({"temperature": 10})"), Texts());
  EXPECT_EQ(findings_of(R"({"temperature": 0})").size(), 1u);
  EXPECT_EQ(findings_of(R"({"temperature": 10.5})").size(), 1u);
  EXPECT_EQ(findings_of(R"({"layers": [1, 2, 3, 4]})"),
            Texts{"/stages/0/kd/layers: expected at most 3 items, found 4 (leave it out for the default [])"});
  EXPECT_EQ(findings_of(R"({"top_k": 2.5})").size(), 1u);
  EXPECT_EQ(findings_of(R"({"top_k": 18446744073709551615})").size(), 1u);
  EXPECT_EQ(findings_of(R"({"top_k": 9223372036854775807})"), Texts());
  EXPECT_EQ(findings_of(R"({"optimizer": {"learning_rate": null}})").size(), 1u);
}

TEST(Parameters, RequiredOnesHaveNoDefault) {
  const Json required = Json::parse(R"({"type": "object", "required": ["model"], "properties":
    {"model": {"type": "string", "default": "", "description": "folder of the model"}}})");
  EXPECT_EQ(findings_of("{}", required),
            Texts{"/stages/0/kd/model: missing: a string is required (folder of the model)"});
  EXPECT_FALSE(has_defaults_for_all(required));
  EXPECT_EQ(least_parameters(required), Json({{"model", ""}}));
}

TEST(Parameters, AnInnerObjectWithoutPropertiesIsFreeForm) {
  EXPECT_EQ(findings_of(R"({"extra": {"a": 1, "b": {"c": [true, "x"]}}})"), Texts());
  EXPECT_EQ(findings_of(R"({"extra": {"a": {"b/c": null}}})"),
            Texts{"/stages/0/kd/extra/a/b~1c: expected a value, found null (leave the key out)"});
  EXPECT_EQ(findings_of(R"({"a": 1})", {{"type", "object"}}),
            Texts{"/stages/0/kd/a: unknown parameter \"a\" (there are no parameters here)"});
  EXPECT_EQ(findings_of("[]").size(), 1u);
}

TEST(Schema, TheUsableOneIsUsable) {
  EXPECT_EQ(invalid_schema_reason(schema), "");
}

TEST(Schema, UnusableOnesSayWhy) {
  const std::map<std::string, std::string> cases = {
      {R"([])", "a schema is an object"},
      {R"({"type": "string"})", "parameters are an object"},
      {R"({"type": "objekt"})", "unknown type"},
      {R"({"type": "object", "oneOf": []})", "\"oneOf\""},
      {R"({"type": "object", "properties": {"a": {"type": "number", "pattern": "x"}}})",
       "at /a: the keyword \"pattern\""},
      {R"({"type": "object", "properties": {"a": {"type": "number", "default": "x"}}})", "its own schema"},
      {R"({"type": "object", "properties": {"a": {"type": "integer", "minimum": 2, "default": 1}}})", "its own schema"},
      {R"({"type": "object", "properties": {"a": {"type": "integer", "minimum": 2, "maximum": 1}}})", "is above"},
      {R"({"type": "object", "properties": {"a": {"type": "number", "exclusiveMinimum": true}}})", "not a number"},
      {R"({"type": "object", "properties": {"a": {"type": "array"}}})", "\"items\""},
      {R"({"type": "object", "properties": {"a": {"type": "string", "enum": []}}})", "\"enum\""},
      {R"({"type": "object", "required": ["b"], "properties": {}})", "\"b\""},
      {R"({"type": "object", "properties": 3})", "\"properties\" is not an object"},
      {R"({"type": ["object", "null"]})", "\"type\" is missing or not a string"}};
  for (const auto& [text, part] : cases) {
    const std::string reason = invalid_schema_reason(Json::parse(text));
    EXPECT_NE(reason.find(part), std::string::npos) << text << ": " << reason;
  }
}

TEST(Schema, NestingHasALimit) {
  Json deep = {{"type", "object"}};
  for (int i = 0; i < 100; ++i) deep = {{"type", "object"}, {"properties", {{"a", deep}}}};
  EXPECT_NE(invalid_schema_reason(deep).find("deeper"), std::string::npos);
}

TEST(Schema, LeastParametersPassWhereverTheTypeAllows) {
  const Json wanting =
      Json::parse(R"({"type": "object", "required": ["a", "b", "c", "d", "e", "f", "g"], "properties": {
    "a": {"type": "integer", "exclusiveMinimum": 3}, "b": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    "c": {"type": "string", "enum": ["x", "y"]}, "d": {"type": "array", "items": {"type": "boolean"}, "minItems": 2},
    "e": {"type": "object", "required": ["z"], "properties": {"z": {"type": "integer", "maximum": -5}}},
    "f": {"type": "number", "minimum": 2.5}, "g": {"type": "number", "exclusiveMaximum": 0}}})");
  Json parameters = least_parameters(wanting);
  EXPECT_EQ(findings(parameters, wanting), Texts()) << parameters.dump();
  EXPECT_EQ(parameters.at("a"), 4);
  EXPECT_EQ(parameters.at("e").at("z"), -5);
}

TEST(FlatParameters, ScalarsByPointer) {
  const Json parameters = Json::parse(
      R"({"a/b": {"c~d": 1.5}, "count": 3, "empty": {}, "list": ["x", true], "none": [], "text": "\u00fc"})");
  const FlatParameters flat(parameters);
  std::map<std::string, retort_parameter> entries;
  for (std::size_t i = 0; i < flat.size(); ++i) entries[to_std(flat.data()[i].path)] = flat.data()[i];
  ASSERT_EQ(entries.size(), 7u);
  EXPECT_EQ(entries.at("/a~1b/c~0d").type, std::uint32_t{RETORT_PARAMETER_NUMBER});
  EXPECT_EQ(entries.at("/a~1b/c~0d").number, 1.5);
  EXPECT_EQ(entries.at("/count").type, std::uint32_t{RETORT_PARAMETER_INTEGER});
  EXPECT_EQ(entries.at("/count").integer, 3);
  EXPECT_EQ(entries.at("/count").number, 3.0);
  EXPECT_EQ(entries.at("/empty").type, std::uint32_t{RETORT_PARAMETER_EMPTY});
  EXPECT_EQ(entries.at("/none").type, std::uint32_t{RETORT_PARAMETER_EMPTY});
  EXPECT_EQ(to_std(entries.at("/list/0").string), "x");
  EXPECT_EQ(entries.at("/list/1").type, std::uint32_t{RETORT_PARAMETER_BOOLEAN});
  EXPECT_EQ(entries.at("/list/1").integer, 1);
  EXPECT_EQ(to_std(entries.at("/text").string), "\u00fc");
  EXPECT_EQ(entries.at("/text").struct_size, sizeof(retort_parameter));
  EXPECT_EQ(FlatParameters(Json::object()).size(), 0u);
  EXPECT_THROW(FlatParameters(Json({{"a", nullptr}})), std::invalid_argument);
}

}  // namespace
}  // namespace retort::host
