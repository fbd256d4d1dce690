// The JSON Schema test suite, required part: every test whose schema is not refused decides as the suite says, and only
// the keywords of core/schema/README.md are refused.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "fixtures.h"
#include "schema/schema_check.h"

namespace retort::schema {
namespace {

struct Counted {
  int agreed = 0, refused = 0;
};

OrderedJson in_dialect(OrderedJson schema, const std::string& uri) {
  if (schema.is_object() && !uri.empty() && !schema.contains("$schema")) schema["$schema"] = uri;
  return schema;
}

bool is_known_refusal(const std::string& reason) {
  for (const char* part : {"is not implemented", "not implemented)", "a reference into this document", "an $anchor of",
                           "\"dependentRequired\" or"})
    if (reason.find(part) != std::string::npos) return true;
  return false;
}

Counted run_suite(const std::filesystem::path& folder, const std::string& uri) {
  Counted counted;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string file = entry.path().filename().string();
    // A metaschema of its own that switches keywords off is another document, which is not read.
    if (entry.path().extension() != ".json" || file == "vocabulary.json") continue;
    std::ifstream stream(entry.path());
    for (const OrderedJson& group : OrderedJson::parse(stream)) {
      try {
        const SchemaCheck check(in_dialect(group.at("schema"), uri));
        for (const OrderedJson& test : group.at("tests")) {
          const auto found = check.violation(Json(test.at("data")));
          EXPECT_EQ(!found.has_value(), test.at("valid").get<bool>())
              << file << ": " << group.at("description") << ": " << test.at("description") << ": "
              << found.value_or("");
          ++counted.agreed;
        }
      } catch (const std::invalid_argument& error) {
        EXPECT_TRUE(is_known_refusal(error.what())) << file << ": " << group.at("description") << ": " << error.what();
        counted.refused += static_cast<int>(group.at("tests").size());
      }
    }
  }
  return counted;
}

TEST(SchemaSuite, EveryDraftDecidesAsTheSuiteSays) {
  const auto folder = tests::shared_data("json-schema-test-suite/tests");
  RETORT_NEEDS(folder);
  const std::map<std::string, std::pair<std::string, int>> drafts = {
      {"draft2020-12", {"", 970}},
      {"draft7", {"http://json-schema.org/draft-07/schema#", 870}},
      {"draft6", {"http://json-schema.org/draft-06/schema#", 790}},
      {"draft4", {"http://json-schema.org/draft-04/schema#", 580}}};
  for (const auto& [draft, expected] : drafts) {
    const Counted counted = run_suite(folder / draft, expected.first);
    EXPECT_GT(counted.agreed, expected.second) << draft << ", refused " << counted.refused;
  }
}

TEST(SchemaSuite, EcmaScriptPatterns) {
  const auto folder = tests::shared_data("json-schema-test-suite/tests");
  RETORT_NEEDS(folder);
  int agreed = 0;
  for (const char* file : {"draft2020-12/optional/ecmascript-regex.json", "draft2020-12/optional/non-bmp-regex.json"}) {
    std::ifstream stream(folder / file);
    for (const OrderedJson& group : OrderedJson::parse(stream)) {
      if (group.at("schema").contains("format")) continue;
      const SchemaCheck check(group.at("schema"));
      for (const OrderedJson& test : group.at("tests")) {
        EXPECT_EQ(!check.violation(Json(test.at("data"))).has_value(), test.at("valid").get<bool>())
            << group.at("description") << ": " << test.at("description");
        ++agreed;
      }
    }
  }
  EXPECT_GT(agreed, 70);
}

TEST(SchemaSuite, RealSchemasDecideAsTheyShould) {
  const auto file = tests::shared_data("../cases/json-schema/handed.jsonl");
  RETORT_NEEDS(file);
  std::ifstream lines(file);
  int agreed = 0, refused = 0;
  for (std::string line; std::getline(lines, line);) {
    const OrderedJson group = OrderedJson::parse(line);
    try {
      const SchemaCheck check(group.at("schema"));
      for (const OrderedJson& test : group.at("tests")) {
        if (test.value("needs", "") == "format") continue;  // an annotation here
        const auto found = check.violation(Json(test.at("data")));
        EXPECT_EQ(!found.has_value(), test.at("valid").get<bool>()) << group.at("name") << found.value_or("");
        ++agreed;
      }
    } catch (const std::invalid_argument& error) {
      EXPECT_TRUE(is_known_refusal(error.what())) << error.what();
      ++refused;
    }
  }
  EXPECT_GT(agreed, 1690);
  EXPECT_LE(refused, 3);
}

TEST(SchemaDocument, RefusesByPointer) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"properties": {"date": {"pattern": "(unclosed"}}})", "/properties/date/pattern: "},
      {R"({"properties": {"a": {"unevaluatedItems": false}}})", "/properties/a/unevaluatedItems: "},
      {R"({"properties": {"a": {"$ref": "#/nowhere"}}})", "/properties/a/$ref: expected a place in this document"},
      {R"({"$ref": "#"})", "leads back to itself"},
      {R"({"$ref": "other.json"})", "/$ref: expected a reference into this document"},
      {R"({"items": [true]})", "/items: expected a schema"},
      {R"({"type": "strin"})", "/type: expected null, boolean"},
      {R"({"minLength": -1})", "/minLength: expected an integer of at least 0"},
      {R"({"anyOf": []})", "/anyOf: expected an array of at least one schema"},
      {R"([])", "the schema: expected a JSON Schema"}};
  for (const auto& [schema, expected] : cases) {
    std::string found;
    try {
      SchemaDocument document(OrderedJson::parse(schema));
    } catch (const std::invalid_argument& error) {
      found = error.what();
    }
    EXPECT_NE(found.find(expected), std::string::npos) << schema << ": " << found;
  }
}

TEST(SchemaDocument, DeepSchemasAreRefusedNotCrashedOn) {
  OrderedJson schema = true;
  for (int i = 0; i < 1000; ++i) schema = {{"items", schema}};
  EXPECT_THROW(SchemaDocument{schema}, std::invalid_argument);
  OrderedJson loop = {{"anyOf", {{{"$ref", "#"}}, {{"type", "null"}}}}};
  EXPECT_TRUE(SchemaCheck(loop).violation(1).has_value());
}

}  // namespace
}  // namespace retort::schema
