// Forms by type: of constants, numbers, strings, arrays and objects, from the keywords of all schemas that must hold.
#include <algorithm>
#include <stdexcept>

#include "grammar/form_builder.h"
#include "grammar/limits.h"
#include "grammar/number_automaton.h"
#include "schema/number.h"
#include "schema/schema_check.h"

namespace retort::grammar {
namespace {

using schema::Counts;
using schema::Json;
using schema::Schema;
namespace types = schema::types;

constexpr std::size_t most_values = 200000;

[[noreturn]] void refuse(const Schema& schema, const std::string& key, const std::string& why) {
  throw std::invalid_argument(schema.pointer + "/" + key + ": " + why);
}

Counts common(Counts a, Counts b) {
  const auto lower = [](std::int64_t x, std::int64_t y) {
    return x == schema::unlimited ? y : y == schema::unlimited ? x : std::min(x, y);
  };
  return {std::max(a.least, b.least), lower(a.most, b.most)};
}

std::shared_ptr<const CountedText> shared(CharacterAutomaton automaton, Counts length = {}) {
  return std::make_shared<const CountedText>(CountedText{std::move(automaton), length});
}

Form plain(const std::vector<std::string>& texts) {
  Form form;
  form.text = shared(from_texts(texts));
  return form;
}

CharacterAutomaton pattern_automaton(const schema::Pattern& pattern, const Schema& schema, const std::string& key) {
  if (schema::needs_backtracking(pattern.expression()))
    refuse(schema, key, "look-around, \\b and references in a pattern have no grammar");
  try {
    return from_expression(pattern.expression());
  } catch (const std::invalid_argument& error) {
    refuse(schema, key, error.what());
  }
}

}  // namespace

void FormBuilder::add_forms(const Partial& partial, std::vector<Form>& forms) {
  if (add_values(partial, forms)) return;
  refuse_unknown(partial);
  if ((partial.types & types::null) != 0) forms.push_back(plain({"null"}));
  if ((partial.types & types::boolean) != 0) forms.push_back(plain({"true", "false"}));
  if ((partial.types & (types::number | types::integer)) != 0) forms.push_back(number(partial));
  if ((partial.types & types::string) != 0) forms.push_back(string(partial));
  if ((partial.types & types::array) != 0) forms.push_back(array(partial));
  Form form;
  if ((partial.types & types::object) != 0 && object(partial, form)) forms.push_back(std::move(form));
}

void FormBuilder::refuse_unknown(const Partial& partial) const {
  const bool arrays = (partial.types & types::array) != 0, objects = (partial.types & types::object) != 0;
  for (const auto& [part, own] : partial.flat) {
    const Schema& schema = *part;
    const std::string none = "the keyword has no grammar";
    if (!own && schema.negated != nullptr) refuse(schema, "not", none);
    if (!own && schema.condition != nullptr && (schema.then_schema != nullptr || schema.else_schema != nullptr))
      refuse(schema, "if", none);
    if (arrays && schema.unique_items && (schema.item_count.most == schema::unlimited || schema.item_count.most > 1))
      refuse(schema, "uniqueItems", none);
    if (arrays && schema.contains != nullptr) refuse(schema, "contains", none);
    if (objects && !schema.dependent_required.empty()) refuse(schema, "dependentRequired", none);
    if (objects && !schema.dependent_schemas.empty()) refuse(schema, "dependentSchemas", none);
  }
}

std::vector<Json> FormBuilder::possible_values(const Partial& partial) const {
  const auto listing = std::find_if(partial.flat.begin(), partial.flat.end(), [](const Constraint& constraint) {
    return constraint.schema->values || constraint.schema->constant;
  });
  if (listing == partial.flat.end()) return {};
  const Schema& source = *listing->schema;
  std::vector<Json> values = source.values ? *source.values : std::vector<Json>{*source.constant};
  Schema others = source;  // its own list has its values: looking for each would take the square of their number
  others.values.reset();
  std::erase_if(values, [&](const Json& value) {
    check_limits(values.size(), most_values, "values of an enum");
    return !std::all_of(partial.flat.begin(), partial.flat.end(), [&](const Constraint& constraint) {
      const Schema& schema = constraint.schema == &source ? others : *constraint.schema;
      return constraint.own_keywords_only ? schema::fits_own_keywords(schema, value) : schema::fits(schema, value);
    });
  });
  return values;
}

bool FormBuilder::add_values(const Partial& partial, std::vector<Form>& forms) {
  const bool fixed = std::any_of(partial.flat.begin(), partial.flat.end(), [](const Constraint& constraint) {
    return constraint.schema->values || constraint.schema->constant;
  });
  if (!fixed) return false;
  std::vector<std::string> strings, others;
  for (const Json& value : possible_values(partial)) {
    if (value.is_string()) {
      strings.push_back(value.get<std::string>());
    } else if (value.is_structured()) {
      Form form;
      form.kind = Form::Kind::constant;
      form.constant = value;
      forms.push_back(std::move(form));
    } else {  // 1.0 and 1 are the same value
      others.push_back(value.is_number_float() && schema::is_integer(value) && std::abs(value.get<double>()) < 9e15
                           ? std::to_string(static_cast<std::int64_t>(value.get<double>()))
                           : value.dump());
    }
  }
  if (!others.empty()) forms.push_back(plain(others));
  if (strings.empty()) return true;
  Form form;
  form.kind = Form::Kind::string;
  form.text = shared(from_texts(strings));
  forms.push_back(std::move(form));
  return true;
}

Form FormBuilder::number(const Partial& partial) const {
  NumberBounds bounds;
  const auto narrow = [](std::optional<Json>& bound, bool& exclusive, const std::optional<Json>& other,
                         bool is_exclusive, int sign) {
    if (!other) return;
    const int order = bound ? sign * schema::compare_numbers(*other, *bound) : 1;
    if (order < 0) return;
    exclusive = order > 0 ? is_exclusive : exclusive || is_exclusive;
    bound = *other;
  };
  const Schema* multiple = nullptr;
  for (const Constraint& constraint : partial.flat) {
    const Schema& schema = *constraint.schema;
    narrow(bounds.least, bounds.least_exclusive, schema.minimum, false, 1);
    narrow(bounds.least, bounds.least_exclusive, schema.exclusive_minimum, true, 1);
    narrow(bounds.most, bounds.most_exclusive, schema.maximum, false, -1);
    narrow(bounds.most, bounds.most_exclusive, schema.exclusive_maximum, true, -1);
    if (!schema.multiple_of) continue;
    multiple = &schema;
    Json of = *schema.multiple_of;
    if (of.is_number_float() && schema::is_integer(of) && of.get<double>() < 1e9)
      of = static_cast<std::int64_t>(of.get<double>());
    if (std::find(bounds.multiples_of.begin(), bounds.multiples_of.end(), of) == bounds.multiples_of.end())
      bounds.multiples_of.push_back(of);
  }
  Form form;
  try {
    form.text = shared((partial.types & types::number) != 0 ? number_texts(bounds) : integer_texts(bounds));
  } catch (const std::invalid_argument& error) {
    if (multiple == nullptr) throw;
    refuse(*multiple, "multipleOf", error.what());
  }
  return form;
}

namespace {

bool has_pattern(const Schema& schema) {
  try {
    return !format_pattern(schema.format).empty();
  } catch (const std::invalid_argument& error) {
    refuse(schema, "format", error.what());
  }
}

}  // namespace

Form FormBuilder::string(const Partial& partial) const {
  Form form;
  form.kind = Form::Kind::string;
  form.free_string = true;
  Counts length;
  std::string key;  // strings in order of the schema's keywords, each behind its size
  for (const Constraint& constraint : partial.flat) {
    const Schema& schema = *constraint.schema;
    length = common(length, schema.length);
    const std::string& pattern = schema.pattern == nullptr ? "" : schema.pattern->text();
    key += std::to_string(schema.pattern == nullptr ? -1 : static_cast<std::int64_t>(pattern.size())) + pattern + '/' +
           std::to_string(schema.format.size()) + schema.format + '/';
    if (schema.pattern != nullptr || (!schema.format.empty() && has_pattern(schema))) form.free_string = false;
  }
  if (form.free_string) key.clear();
  key += std::to_string(length.least) + ' ' + std::to_string(length.most);
  std::shared_ptr<const CountedText>& text = texts_[key];
  if (text == nullptr) text = string_text(partial, length);
  form.text = text;
  return form;
}

std::shared_ptr<const CountedText> FormBuilder::string_text(const Partial& partial, Counts length) const {
  CharacterAutomaton automaton = every_text();
  const Schema* place = partial.flat.empty() ? nullptr : partial.flat.front().schema;
  for (const Constraint& constraint : partial.flat) {
    const Schema& schema = *constraint.schema;
    if (schema.pattern != nullptr) {
      automaton = intersection(automaton, pattern_automaton(*schema.pattern, schema, "pattern"));
    }
    if (schema.pattern != nullptr || schema.length.most != schema::unlimited) place = &schema;
    if (schema.format.empty()) continue;
    try {
      const std::string pattern = format_pattern(schema.format);
      if (pattern.empty()) continue;
      automaton = intersection(automaton, from_pattern(pattern));
    } catch (const std::invalid_argument& error) {
      refuse(schema, "format", error.what());
    }
  }
  try {
    return std::make_shared<const CountedText>(counted(std::move(automaton), length));
  } catch (const std::invalid_argument& error) {
    refuse(*place, "pattern", error.what());
  }
}

Form FormBuilder::array(const Partial& partial) {
  Form form;
  form.kind = Form::Kind::array;
  std::size_t longest = 0;
  for (const Constraint& constraint : partial.flat) {
    longest = std::max(longest, constraint.schema->prefix_items.size());
    form.count = common(form.count, constraint.schema->item_count);
    if (constraint.schema->unique_items) form.count = common(form.count, {0, 1});  // others were refused
  }
  check_limits(longest, 10000, "items of a prefix");
  for (std::size_t i = 0; i <= longest; ++i) {
    Conjunction item;
    for (const Constraint& constraint : partial.flat) {
      const Schema& schema = *constraint.schema;
      const Schema* part = i < schema.prefix_items.size() ? schema.prefix_items[i] : schema.items;
      if (part != nullptr) item.push_back({part});
    }
    const RuleIndex index = rule(std::move(item));
    if (i < longest)
      form.prefix.push_back(index);
    else
      form.items = index;
  }
  return form;
}

std::vector<std::string> FormBuilder::member_names(const Partial& partial) const {
  std::vector<std::string> names;
  std::set<std::string> known;
  for (const Constraint& constraint : partial.flat)
    for (const auto& [name, part] : constraint.schema->properties)
      if (known.insert(name).second) names.push_back(name);
  for (const Constraint& constraint : partial.flat)
    for (const std::string& name : constraint.schema->required)
      if (known.insert(name).second) names.push_back(name);
  return names;
}

Conjunction FormBuilder::member_conjunction(const Partial& partial, const std::string& name) const {
  Conjunction conjunction;
  for (const Constraint& constraint : partial.flat) {
    const Schema& schema = *constraint.schema;
    const Schema* named = schema.property(name);
    bool known = named != nullptr;
    if (known) conjunction.push_back({named});
    for (const auto& [pattern, part] : schema.pattern_properties) {
      if (!pattern->search(name)) continue;
      conjunction.push_back({part});
      known = true;
    }
    if (!known && schema.additional_properties != nullptr) conjunction.push_back({schema.additional_properties});
  }
  return conjunction;
}

bool FormBuilder::fits_names(const Partial& partial, const std::string& name) const {
  return std::all_of(partial.flat.begin(), partial.flat.end(), [&](const Constraint& constraint) {
    const Schema* names = constraint.schema->property_names;
    return names == nullptr || schema::fits(*names, Json(name));
  });
}

bool FormBuilder::object(const Partial& partial, Form& form) {
  form.kind = Form::Kind::object;
  std::set<std::string> required;
  for (const Constraint& constraint : partial.flat) {
    form.count = common(form.count, constraint.schema->property_count);
    required.insert(constraint.schema->required.begin(), constraint.schema->required.end());
  }
  for (const std::string& name : member_names(partial)) {
    const bool needed = required.contains(name);
    if (!fits_names(partial, name)) {
      if (needed) return false;
      continue;
    }
    const Conjunction value = member_conjunction(partial, name);
    if (needed && surely_empty(value)) return false;
    form.members.push_back({name, rule(value), needed});
  }
  add_others(partial, form);
  return true;
}

/// Keys that no schema names: one alternative for each set of patterns that they can match.
void FormBuilder::add_others(const Partial& partial, Form& form) {
  constexpr std::size_t most_patterns = 5;
  std::vector<std::pair<const schema::Pattern*, const Schema*>> patterns;
  bool closed = false, open = false;
  for (const Constraint& constraint : partial.flat) {
    const Schema& schema = *constraint.schema;
    open = open || schema.additional_properties != nullptr;
    for (const auto& [pattern, part] : schema.pattern_properties) patterns.emplace_back(pattern.get(), &schema);
    closed = closed || (schema.pattern_properties.empty() && schema.additional_properties != nullptr &&
                        schema.additional_properties->never);
  }
  const bool patterns_only = at_root_ && options_.arguments && !open;
  if (closed || (patterns_only && patterns.empty())) return;
  if (patterns.size() > most_patterns)
    refuse(*patterns.back().second, "patternProperties", "more than 5 patterns for one object have no grammar");
  CharacterAutomaton base = complement(from_texts(member_names(partial)));
  for (const Constraint& constraint : partial.flat) {
    const Schema* names = constraint.schema->property_names;
    if (names == nullptr) continue;
    Partial key;
    flatten(key, {names}, {});
    if (!key.choices.empty()) refuse(*constraint.schema, "propertyNames", "alternatives of names have no grammar");
    std::vector<Form> forms;
    key.types &= types::string;
    if (key.types != 0) add_forms(key, forms);
    if (forms.empty()) return;
    const CountedText& text = *forms.front().text;
    const bool limited = text.length.least > 0 || text.length.most != schema::unlimited;
    if (limited) refuse(*constraint.schema, "propertyNames", "lengths of names have no grammar");
    base = intersection(base, text.automaton);
  }
  for (std::size_t subset = patterns_only ? 1 : 0; subset < (std::size_t{1} << patterns.size()); ++subset) {
    CharacterAutomaton names = base;
    for (std::size_t i = 0; i < patterns.size() && !names.empty(); ++i) {
      const CharacterAutomaton matched =
          pattern_automaton(*patterns[i].first, *patterns[i].second, "patternProperties");
      names = intersection(names, (subset >> i & 1U) != 0 ? matched : complement(matched));
    }
    if (names.empty()) continue;
    Conjunction value;
    std::size_t i = 0;
    for (const Constraint& constraint : partial.flat) {
      bool known = false;
      for (const auto& [pattern, part] : constraint.schema->pattern_properties) {
        if ((subset >> i++ & 1U) == 0) continue;
        value.push_back({part});
        known = true;
      }
      if (!known && constraint.schema->additional_properties != nullptr)
        value.push_back({constraint.schema->additional_properties});
    }
    form.others.push_back({std::make_shared<const CharacterAutomaton>(std::move(names)), rule(std::move(value))});
  }
}

}  // namespace retort::grammar
