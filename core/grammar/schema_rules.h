// A JSON Schema as rules for writing values: alternatives by type, with siblings and allOf intersected, anyOf
// multiplied out, and what no value can satisfy cut away. Independent of how JSON is spaced or ordered
// (program_builder.h).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "grammar/character_automaton.h"
#include "schema/schema_document.h"

namespace retort::grammar {

using RuleIndex = std::int32_t;

struct Member {
  std::string name;
  RuleIndex value = -1;
  bool required = false;
};
/// Keys besides the members: those that `names` accepts.
struct OtherMembers {
  std::shared_ptr<const CharacterAutomaton> names;
  RuleIndex value = -1;
};

/// One way to write a value.
struct Form {
  enum class Kind : std::uint8_t { plain, string, constant, array, object } kind = Kind::plain;
  std::shared_ptr<const CountedText> text;  ///< plain: numbers, booleans, null as they stand; string: its characters
  bool free_string = false;                 ///< string: the schema gives neither values nor a pattern
  schema::OrderedJson constant;             ///< an array or object that stands as it is
  std::vector<RuleIndex> prefix;            ///< array: of the first items
  RuleIndex items = -1;                     ///< array: of the others; -1: none
  std::vector<Member> members;              ///< object: in the order of the schema
  std::vector<OtherMembers> others;         ///< object: disjoint
  schema::Counts count;                     ///< array: items; object: members
};

struct Rule {
  std::vector<Form> forms;  ///< alternatives
};

struct SchemaRules {
  std::vector<Rule> rules;
  RuleIndex root = 0;
};

struct RuleOptions {
  /// The root's objects have no other members than the schema names, unless it says that others may come: the rule for
  /// arguments (schema/argument_schema.h).
  bool arguments = false;
};

/// Throws std::invalid_argument, beginning with the JSON pointer: a keyword that a grammar does not know, a schema that
/// is too large, or one that no value fits. README.md lists the keywords.
SchemaRules schema_rules(const schema::SchemaDocument& document, const RuleOptions& options = {});

/// The pattern of a format whose values are written well-formed only; "" for annotations. Throws std::invalid_argument
/// for a format of JSON Schema that has none here.
std::string format_pattern(const std::string& format);

}  // namespace retort::grammar
