// Conjunctions: flattened along $ref and allOf, multiplied out over anyOf and oneOf.
#include "grammar/form_builder.h"

#include <algorithm>
#include <stdexcept>

#include "grammar/limits.h"

namespace retort::grammar {
namespace {

using schema::Schema;
namespace types = schema::types;

constexpr std::size_t most_rules = 50000;
constexpr std::size_t most_terms = 20000;

/// An integer is a number.
unsigned common_types(unsigned a, unsigned b) {
  constexpr unsigned numeric = types::integer | types::number;
  unsigned common = a & b & ~numeric;
  if ((a & types::number) != 0 && (b & types::number) != 0) return common | types::number;
  if ((a & numeric) != 0 && (b & numeric) != 0) common |= types::integer;
  return common;
}

}  // namespace

SchemaRules FormBuilder::build() {
  rules_.root = rule({{&root_}});
  while (!open_.empty()) {
    const auto [index, conjunction] = std::move(open_.back());
    open_.pop_back();
    fill(index, conjunction);
  }
  return std::move(rules_);
}

RuleIndex FormBuilder::rule(Conjunction conjunction) {
  Conjunction key = conjunction;
  std::sort(key.begin(), key.end());
  key.erase(std::unique(key.begin(), key.end()), key.end());
  const auto [found, fresh] = known_.emplace(std::move(key), static_cast<RuleIndex>(rules_.rules.size()));
  if (fresh) {
    check_limits(rules_.rules.size(), most_rules, "combinations of schemas");
    rules_.rules.emplace_back();
    open_.emplace_back(found->second, std::move(conjunction));
  }
  return found->second;
}

void FormBuilder::fill(RuleIndex index, const Conjunction& conjunction) {
  at_root_ = index == rules_.root;
  Partial partial;
  for (const Constraint& constraint : conjunction) flatten(partial, constraint, {});
  std::vector<Form> forms;
  expand(partial, 0, forms);
  rules_.rules[static_cast<std::size_t>(index)].forms = std::move(forms);
}

void FormBuilder::flatten(Partial& partial, const Constraint& constraint, const std::vector<const Schema*>& owners) {
  const Schema& schema = *constraint.schema;
  if (std::find(owners.begin(), owners.end(), &schema) != owners.end())
    throw std::invalid_argument(schema::place_of(schema.pointer) + ": the schema refers to itself without end");
  if (!partial.seen.insert(constraint).second) return;
  partial.types = common_types(partial.types, schema.never ? 0 : schema.allowed_types);
  partial.flat.push_back(constraint);
  if (constraint.own_keywords_only || partial.types == 0) return;
  if (schema.reference != nullptr) flatten(partial, {schema.reference}, owners);
  for (const Schema* part : schema.all_of) flatten(partial, {part}, owners);
  for (const bool exclusive : {false, true}) {
    const auto& alternatives = exclusive ? schema.one_of : schema.any_of;
    if (alternatives.empty()) continue;
    Choice& choice = partial.choices.emplace_back(Choice{&alternatives, &schema, exclusive, owners});
    choice.owners.push_back(&schema);
  }
}

void FormBuilder::expand(const Partial& partial, std::size_t index, std::vector<Form>& forms) {
  if (partial.types == 0) return;
  if (index == partial.choices.size()) return add_forms(partial, forms);
  check_limits(++terms_, most_terms, "combinations of alternatives");
  const Choice choice = partial.choices[index];
  if (choice.exclusive && choice.alternatives->size() > 1) claim_disjoint(partial, choice);
  for (const Schema* alternative : *choice.alternatives) {
    Partial next = partial;
    flatten(next, {alternative}, choice.owners);
    expand(next, index + 1, forms);
  }
}

void FormBuilder::claim_disjoint(const Partial& partial, const Choice& choice) {
  Conjunction context;
  for (const Constraint& constraint : partial.flat) context.push_back({constraint.schema, true});
  const auto& list = *choice.alternatives;
  for (std::size_t i = 0; i < list.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      Conjunction both = context;
      both.push_back({list[i]});
      both.push_back({list[j]});
      if (!surely_empty(both)) claims_.push_back({rule(std::move(both)), choice.owner->pointer + "/oneOf"});
    }
}

/// Whether types or values alone leave nothing; may say no of what is empty.
bool FormBuilder::surely_empty(const Conjunction& conjunction) {
  Partial partial;
  for (const Constraint& constraint : conjunction) flatten(partial, constraint, {});
  if (partial.types == 0) return true;
  const bool has_values = std::any_of(partial.flat.begin(), partial.flat.end(), [](const Constraint& constraint) {
    return constraint.schema->values || constraint.schema->constant;
  });
  if (has_values) return possible_values(partial).empty();
  if (partial.types != types::object) return false;
  for (const Constraint& constraint : partial.flat)
    for (const std::string& name : constraint.schema->required) {
      Partial member;
      const Conjunction needed = member_conjunction(partial, name);
      for (const Constraint& part : needed) flatten(member, part, {});
      const bool fixed = std::any_of(member.flat.begin(), member.flat.end(), [](const Constraint& part) {
        return part.schema->values || part.schema->constant;
      });
      if (member.types == 0 || (fixed && possible_values(member).empty())) return true;
    }
  return false;
}

}  // namespace retort::grammar
