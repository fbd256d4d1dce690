// Internal to core/grammar: makes rules of sets of schemas that must all hold.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "grammar/schema_rules.h"

namespace retort::grammar {

/// A schema that must hold of a value: all of it, or all but its $ref, allOf, anyOf, oneOf.
struct Constraint {
  const schema::Schema* schema;
  bool own_keywords_only = false;
  auto operator<=>(const Constraint&) const = default;
};
using Conjunction = std::vector<Constraint>;

/// That no value fits two schemas of a oneOf: the rule for both at once must have no value.
struct Disjointness {
  RuleIndex both;
  std::string pointer;
};

class FormBuilder {
 public:
  FormBuilder(const schema::Schema& root, const RuleOptions& options) : root_(root), options_(options) {}
  SchemaRules build();
  const std::vector<Disjointness>& claims() const { return claims_; }

 private:
  /// Alternatives of which one must hold, and the schemas whose choices led here: to meet one of those again would be
  /// to go round without reading anything.
  struct Choice {
    const std::vector<const schema::Schema*>* alternatives;
    const schema::Schema* owner;
    bool exclusive;
    std::vector<const schema::Schema*> owners;
  };
  /// A conjunction being flattened.
  struct Partial {
    Conjunction flat;
    std::set<Constraint> seen;
    std::vector<Choice> choices;
    unsigned types = schema::types::all;
  };

  RuleIndex rule(Conjunction conjunction);
  void fill(RuleIndex index, const Conjunction& conjunction);
  void flatten(Partial& partial, const Constraint& constraint, const std::vector<const schema::Schema*>& owners);
  void expand(const Partial& partial, std::size_t choice, std::vector<Form>& forms);
  void claim_disjoint(const Partial& partial, const Choice& choice);
  bool surely_empty(const Conjunction& conjunction);

  void add_forms(const Partial& partial, std::vector<Form>& forms);
  void refuse_unknown(const Partial& partial) const;
  bool add_values(const Partial& partial, std::vector<Form>& forms);
  std::vector<schema::Json> possible_values(const Partial& partial) const;
  Form number(const Partial& partial) const;
  Form string(const Partial& partial) const;
  std::shared_ptr<const CountedText> string_text(const Partial& partial, schema::Counts length) const;
  Form array(const Partial& partial);
  bool object(const Partial& partial, Form& form);
  std::vector<std::string> member_names(const Partial& partial) const;
  Conjunction member_conjunction(const Partial& partial, const std::string& name) const;
  void add_others(const Partial& partial, Form& form);
  bool fits_names(const Partial& partial, const std::string& name) const;

  const schema::Schema& root_;
  RuleOptions options_;
  bool at_root_ = false;
  SchemaRules rules_;
  std::map<Conjunction, RuleIndex> known_;
  std::vector<std::pair<RuleIndex, Conjunction>> open_;
  std::vector<Disjointness> claims_;
  std::size_t terms_ = 0;
  /// Texts by what they are made from: what is written twice in a schema is one automaton, and so is what is known of
  /// it.
  mutable std::map<std::string, std::shared_ptr<const CountedText>> texts_;
};

}  // namespace retort::grammar
