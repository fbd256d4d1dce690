// JSON Schema to grammars: real schemas with their instances, the suite, refusals, limits.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>

#include "fixtures.h"
#include "grammar/byte_automaton.h"
#include "grammar/instance_text.h"
#include "grammar/program_builder.h"
#include "schema/schema_check.h"

namespace retort::grammar {
namespace {

using schema::OrderedJson;

std::shared_ptr<const Program> compiled(const OrderedJson& schema,
                                        task::JsonStyle style = {task::JsonSpacing::compact, task::KeyOrder::any}) {
  return schema_program(schema_rules(schema::SchemaDocument(schema)), style);
}

/// No instance that is invalid is taken, and of the valid ones at most 2 % are missed; refusals name a place.
TEST(SchemaGrammar, TakesTheValidInstancesOfRealSchemas) {
  const auto file = tests::shared_data("../cases/json-schema/handed.jsonl");
  RETORT_NEEDS(file);
  std::ifstream lines(file);
  int valid = 0, taken = 0, wrong = 0, refused = 0;
  for (std::string line; std::getline(lines, line);) {
    const OrderedJson group = OrderedJson::parse(line);
    std::shared_ptr<const Program> program;
    try {
      program = compiled(group.at("schema"));
    } catch (const std::invalid_argument& error) {
      ++refused;
      const std::string reason = error.what();
      EXPECT_TRUE(reason.starts_with("/") || reason.starts_with("the schema")) << reason;
      continue;
    }
    InstanceCheck check(program);
    for (const OrderedJson& test : group.at("tests")) {
      const bool accepted = check.accepts(test.at("data").dump());
      if (test.at("valid").get<bool>()) {
        ++valid;
        taken += accepted ? 1 : 0;
      } else if (accepted) {
        ++wrong;
        ADD_FAILURE() << group.at("name") << " takes the invalid " << test.at("data").dump();
      }
    }
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_GE(taken * 100, valid * 98) << taken << " of " << valid;
  EXPECT_GT(valid, 300);
  EXPECT_LE(refused, 50);
}

/// The suite's instances: whatever a grammar takes, the validator finds valid.
TEST(SchemaGrammar, NeverTakesWhatTheSuiteCallsInvalid) {
  const auto folder = tests::shared_data("json-schema-test-suite/tests/draft2020-12");
  RETORT_NEEDS(folder);
  int compiled_schemas = 0, valid = 0, taken = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".json" || entry.path().filename() == "vocabulary.json") continue;
    std::ifstream stream(entry.path());
    for (const OrderedJson& group : OrderedJson::parse(stream)) {
      std::unique_ptr<InstanceCheck> check;
      try {
        check = std::make_unique<InstanceCheck>(compiled(group.at("schema")));
        ++compiled_schemas;
      } catch (const std::invalid_argument&) {
        continue;
      }
      for (const OrderedJson& test : group.at("tests")) {
        const bool accepted = check->accepts(test.at("data").dump());
        const bool right = test.at("valid").get<bool>();
        EXPECT_FALSE(accepted && !right) << entry.path().filename() << ": " << group.at("description") << ": "
                                         << test.at("data").dump();
        valid += right ? 1 : 0;
        taken += accepted && right ? 1 : 0;
      }
    }
  }
  EXPECT_GT(compiled_schemas, 150);
  EXPECT_GE(taken * 100, valid * 90) << taken << " of " << valid;  // annotated formats are written well-formed only
}

bool takes(const char* schema, const char* text,
           task::JsonStyle style = {task::JsonSpacing::compact, task::KeyOrder::any}) {
  ByteAutomaton automaton(compiled(OrderedJson::parse(schema), style), 16);
  StateId state = automaton.start();
  for (const char* at = text; *at != 0 && state != no_state; ++at)
    state = automaton.step(state, static_cast<std::uint8_t>(*at));
  return state != no_state && automaton.accepts(state);
}

TEST(SchemaGrammar, StringsAndEscapes) {
  const char* two = R"({"type":"string","minLength":2,"maxLength":2})";
  for (const char* text : {R"("ab")", R"("é😀")", R"("\n\"")", R"("\ud83d\ude00x")", R"("\u00e9a")", R"("\u0007b")"})
    EXPECT_TRUE(takes(two, text)) << text;
  for (const char* text : {R"("a")", R"("abc")", R"("\u0061b")", R"("\ud83dx")", R"("\ude00x")",
                           "\"\xC0\x80"
                           "a\"",
                           "\"a\x01\"",
                           "\"\xED\xA0\x80"
                           "a\"",
                           R"("a\x")", R"("ab)"})
    EXPECT_FALSE(takes(two, text)) << text;
  EXPECT_TRUE(takes(R"({"type":"string","pattern":"^\\n$"})", R"("\n")"));
  EXPECT_FALSE(takes(R"({"type":"string","pattern":"^[a-z]+$"})", R"("\u0061")"));
}

TEST(SchemaGrammar, SpacingAndOrder) {
  const char* schema =
      R"({"type":"object","properties":{"b":{"type":"integer"},"a":{"type":"array","items":{"type":"integer"}}},"required":["a"],"additionalProperties":false})";
  using task::JsonSpacing;
  using task::KeyOrder;
  EXPECT_TRUE(takes(schema, R"({"a":[1,2],"b":3})", {JsonSpacing::compact, KeyOrder::alphabetical}));
  EXPECT_FALSE(takes(schema, R"({"b":3,"a":[1]})", {JsonSpacing::compact, KeyOrder::alphabetical}));
  EXPECT_TRUE(takes(schema, R"({"b":3,"a":[1]})", {JsonSpacing::compact, KeyOrder::schema}));
  EXPECT_TRUE(takes(schema, R"({"b": 3, "a": [1, 2]})", {JsonSpacing::spaced, KeyOrder::any}));
  EXPECT_FALSE(takes(schema, R"({"b":3,"a":[1,2]})", {JsonSpacing::spaced, KeyOrder::any}));
  EXPECT_TRUE(takes(schema, "{\n  \"a\" : [ 1,\n 2 ] }", {JsonSpacing::loose, KeyOrder::any}));
  EXPECT_FALSE(takes(schema, "{          \"a\":[]}", {JsonSpacing::loose, KeyOrder::any}));  // ten spaces
  EXPECT_FALSE(takes(schema, R"({"a":[1],"a":[2]})"));
  EXPECT_FALSE(takes(schema, R"({"b":3})"));
  EXPECT_FALSE(takes(schema, R"({"a":[1],"c":2})"));
}

TEST(SchemaGrammar, CountsAndRecursion) {
  const char* counts =
      R"({"type":"object","properties":{"a":{},"b":{},"c":{}},"minProperties":2,"maxProperties":2,"required":["c"]})";
  EXPECT_TRUE(takes(counts, R"({"a":1,"c":2})"));
  EXPECT_FALSE(takes(counts, R"({"a":1,"b":2})"));
  EXPECT_FALSE(takes(counts, R"({"c":1})"));
  EXPECT_TRUE(takes(counts, R"({"x":1,"c":2})"));
  const char* tree =
      R"({"type":"object","properties":{"v":{"type":"integer"},"next":{"anyOf":[{"$ref":"#"},{"type":"null"}]}},"required":["v"],"additionalProperties":false})";
  std::string text = "null";
  for (int i = 0; i < 200; ++i) text = R"({"next":)" + text + R"(,"v":1})";
  EXPECT_TRUE(takes(tree, text.c_str()));
  EXPECT_FALSE(takes(tree, R"({"next":{"next":null},"v":1})"));
  const char* items = R"({"type":"array","minItems":100000,"maxItems":100001,"items":{"const":1}})";
  EXPECT_FALSE(takes(items, "[1,1]"));
  EXPECT_TRUE(takes(R"({"prefixItems":[{"const":1}],"items":{"const":2},"type":"array","maxItems":3})", "[1,2,2]"));
  EXPECT_FALSE(takes(R"({"prefixItems":[{"const":1}],"items":{"const":2},"type":"array","maxItems":3})", "[1,2,2,2]"));
}

TEST(SchemaGrammar, OneOfNeedsDisjointAlternatives) {
  const char* kinds = R"({"type":"object","required":["kind"],"oneOf":[
      {"properties":{"kind":{"const":"a"},"x":{"type":"integer"}}},{"properties":{"kind":{"const":"b"},"x":{"type":"string"}}}]})";
  EXPECT_TRUE(takes(kinds, R"({"kind":"a","x":1})"));
  EXPECT_FALSE(takes(kinds, R"({"kind":"a","x":"1"})"));
  EXPECT_TRUE(takes(R"({"oneOf":[{"type":"string"},{"type":"integer"}]})", "3"));
  EXPECT_THROW(takes(R"({"oneOf":[{"type":"number"},{"type":"integer"}]})", "3"), std::invalid_argument);
  EXPECT_THROW(takes(R"({"oneOf":[{"required":["a"]},{"required":["b"]}]})", "3"), std::invalid_argument);
}

TEST(SchemaGrammar, RefusesByPointer) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"properties":{"a":{"not":{"type":"null"}}}})", "/properties/a/not: "},
      {R"({"type":"array","uniqueItems":true})", "/uniqueItems: "},
      {R"({"items":{"type":"array","contains":{}}})", "/items/contains: "},
      {R"({"if":{},"then":false})", "/if: "},
      {R"({"type":"object","dependentRequired":{"a":["b"]}})", "/dependentRequired: "},
      {R"x({"properties":{"a":{"pattern":"^(?!x)"}}})x", "/properties/a/pattern: look-around"},
      {R"({"properties":{"a":{"multipleOf":0.01}}})", "/properties/a/multipleOf: "},
      {R"({"properties":{"a":{"format":"uri-template"}}})", "/properties/a/format: "},
      {R"({"unevaluatedProperties":false})", "/unevaluatedProperties: "},
      {R"({"anyOf":[{"$ref":"#"},{"type":"null"}]})", "refers to itself without end"},
      {R"({"type":"object","required":["a"],"properties":{"a":{"$ref":"#"}}})", "no value fits"},
      {R"(false)", "no value fits"},
      {R"({"type":"string","minLength":3,"maxLength":2})", "no value fits"},
      {R"({"enum":[1],"type":"string"})", "no value fits"}};
  for (const auto& [schema, expected] : cases) {
    const std::string found = tests::error_of([schema = schema] { compiled(OrderedJson::parse(schema)); });
    EXPECT_TRUE(tests::contains(found, expected)) << schema << ": " << found;
  }
  // With its values listed, any keyword is decided value by value.
  EXPECT_TRUE(takes(R"({"enum":[1,2,3],"not":{"const":2}})", "3"));
  EXPECT_FALSE(takes(R"({"enum":[1,2,3],"not":{"const":2}})", "2"));
}

/// Looking for each value in the list would take longer than the limit.
TEST(SchemaGrammar, LongListsOfValues) {
  OrderedJson schema{{"enum", OrderedJson::array()}, {"maxLength", 12}};
  for (int i = 0; i < 100000; ++i) schema["enum"].push_back("value " + std::to_string(i));
  schema["enum"].push_back("longer than twelve");
  const std::string text = schema.dump();
  EXPECT_TRUE(takes(text.c_str(), "\"value 99999\""));
  EXPECT_FALSE(takes(text.c_str(), "\"value 100000\""));
  EXPECT_FALSE(takes(text.c_str(), "\"longer than twelve\""));
}

/// What is written twice is made once.
TEST(SchemaGrammar, EqualPatternsAreOneText) {
  const auto program = compiled(OrderedJson::parse(R"({"properties":{"a":{"type":"string","pattern":"^x+$"},
    "b":{"type":"string","pattern":"^x+$"},"c":{"type":"string","pattern":"^x+$","maxLength":3},"d":{"type":"string"}}})"),
                                {});
  std::set<const CountedText*> of_x;
  for (const Instruction& one : program->code)
    if (one.kind == Instruction::Kind::text && one.text->automaton.contains("xx") && !one.text->automaton.contains("y"))
      of_x.insert(one.text.get());
  EXPECT_EQ(of_x.size(), 2U);  // of any length, and of at most 3
  EXPECT_TRUE(takes(
      R"({"properties":{"a":{"type":"string","pattern":"^x+$"},"c":{"type":"string","pattern":"^x+$","maxLength":3}}})",
      R"({"a":"xxxx","c":"xxx"})"));
  EXPECT_FALSE(takes(
      R"({"properties":{"a":{"type":"string","pattern":"^x+$"},"c":{"type":"string","pattern":"^x+$","maxLength":3}}})",
      R"({"a":"xxxx","c":"xxxx"})"));
}

TEST(SchemaGrammar, ExplodingAndDeepSchemasAreRefusedInTime) {
  std::string alternatives = R"({"type":"string","pattern":"x"})", exclusive = R"({"type":"object"})";
  for (int i = 0; i < 8; ++i)
    alternatives = R"({"allOf":[{"anyOf":[)" + alternatives + R"(,{"minLength":1},{"maxLength":50}]},{"anyOf":[)" +
                   alternatives + R"(,{"type":"null"}]}]})";
  for (int i = 0; i < 6; ++i)
    exclusive = R"({"oneOf":[)" + exclusive + R"(,{"type":"array","items":)" + exclusive + R"(},{"properties":{"a":)" +
                exclusive + "}}]}";
  const OrderedJson nested = OrderedJson::parse(alternatives), one_of = OrderedJson::parse(exclusive);
  OrderedJson deep = true;
  for (int i = 0; i < 5000; ++i) deep = {{"properties", {{"a", deep}}}};
  OrderedJson wide = {{"type", "object"}};
  for (int i = 0; i < 3000; ++i) wide["patternProperties"]["^" + std::to_string(i)] = {{"type", "integer"}};
  const OrderedJson repeats = {{"pattern", "^((a{1,200}b{1,200}){1,200}c?){1,200}$"}, {"type", "string"}};
  const OrderedJson lengths = {
      {"pattern", "^(aa|bbb)*$"}, {"type", "string"}, {"maxLength", 100000000}, {"minLength", 99999999}};
  const OrderedJson* const schemas[] = {&nested, &one_of, &deep, &wide, &repeats, &lengths};
  for (const OrderedJson* schema : schemas) {
    const auto start = std::chrono::steady_clock::now();
    EXPECT_THROW(compiled(*schema), std::invalid_argument) << schema->dump().substr(0, 100);
    EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), 20);
  }
}

}  // namespace
}  // namespace retort::grammar
