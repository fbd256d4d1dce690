// See schema_check.h. One pass; words are made only where a reason was asked for.
#include "schema/schema_check.h"

#include <algorithm>
#include <set>

#include "schema/code_points.h"
#include "schema/number.h"

namespace retort::schema {
namespace {

/// A place in the value, as a chain through the callers.
struct Place {
  const Place* parent = nullptr;
  const std::string* key = nullptr;
  std::size_t index = 0;
  std::size_t depth = 0;

  std::string pointer() const {
    if (parent == nullptr) return "";
    return parent->pointer() + "/" + (key != nullptr ? pointer_token(*key) : std::to_string(index));
  }
};

struct Reason {
  std::string text;
  std::size_t depth = 0;
};

std::string type_names(unsigned set) {
  std::string names;
  const std::pair<unsigned, const char*> all[] = {
      {types::null, "null"},     {types::boolean, "boolean"}, {types::integer, "integer"}, {types::number, "number"},
      {types::string, "string"}, {types::array, "array"},     {types::object, "object"}};
  for (const auto& [bit, name] : all)
    if ((set & bit) != 0) names += (names.empty() ? "" : " or ") + std::string(name);
  return names;
}

unsigned types_of(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return types::null;
    case Json::value_t::boolean:
      return types::boolean;
    case Json::value_t::string:
      return types::string;
    case Json::value_t::array:
      return types::array;
    case Json::value_t::object:
      return types::object;
    default:
      return types::number | (is_integer(value) ? types::integer : 0U);
  }
}

class Check {
 public:
  /// `reason` may be null.
  explicit Check(Reason* reason) : reason_(reason) {}

  bool fits(const Schema& schema, const Json& value, const Place& place) {
    constexpr int greatest_depth = 4096;
    if (depth_ > greatest_depth) return fail(value, place, "the schema refers to itself without end");
    ++depth_;
    const bool result = fits_combined(schema, value, place) && fits_own(schema, value, place);
    --depth_;
    return result;
  }

  bool fits_own(const Schema& schema, const Json& value, const Place& place) {
    return fits_value(schema, value, place) && (!value.is_number() || fits_number(schema, value, place)) &&
           (!value.is_string() || fits_string(schema, value, place)) &&
           (!value.is_array() || fits_array(schema, value, place)) &&
           (!value.is_object() || fits_object(schema, value, place));
  }

 private:
  bool fail(const Json& value, const Place& place, const std::string& expected) {
    if (reason_ == nullptr) return false;
    const std::string pointer = place.pointer();
    reason_->text = (pointer.empty() ? "" : pointer + ": ") + expected + ", found " + excerpt(value);
    reason_->depth = place.depth;
    return false;
  }

  bool fits_value(const Schema& schema, const Json& value, const Place& place) {
    if (schema.never) return fail(value, place, "expected nothing (the schema is false)");
    if ((schema.allowed_types & types_of(value)) == 0)
      return fail(value, place, reason_ == nullptr ? "" : "expected the type " + type_names(schema.allowed_types));
    if (schema.constant && !equal_values(*schema.constant, value))
      return fail(value, place, reason_ == nullptr ? "" : "expected " + excerpt(*schema.constant));
    if (schema.values && std::none_of(schema.values->begin(), schema.values->end(),
                                      [&](const Json& one) { return equal_values(one, value); }))
      return fail(value, place, reason_ == nullptr ? "" : "expected one of " + excerpt(*schema.values));
    return true;
  }

  bool fits_combined(const Schema& schema, const Json& value, const Place& place) {
    if (schema.reference != nullptr && !fits(*schema.reference, value, place)) return false;
    for (const Schema* part : schema.all_of)
      if (!fits(*part, value, place)) return false;
    if (!schema.any_of.empty() && !fits_any(schema.any_of, value, place)) return false;
    if (!schema.one_of.empty()) {
      const auto count = std::count_if(schema.one_of.begin(), schema.one_of.end(),
                                       [&](const Schema* part) { return quietly(*part, value, place); });
      if (count == 0) return fits_any(schema.one_of, value, place);
      if (count > 1) return fail(value, place, "expected a match of one schema of oneOf, not of several");
    }
    if (schema.negated != nullptr && quietly(*schema.negated, value, place))
      return fail(value, place, "expected no match of the schema under \"not\"");
    if (schema.condition == nullptr) return true;
    const Schema* next = quietly(*schema.condition, value, place) ? schema.then_schema : schema.else_schema;
    return next == nullptr || fits(*next, value, place);
  }

  bool quietly(const Schema& schema, const Json& value, const Place& place) {
    Check check(nullptr);
    check.depth_ = depth_;
    return check.fits(schema, value, place);
  }

  bool fits_any(const std::vector<const Schema*>& schemas, const Json& value, const Place& place) {
    Reason deepest;
    for (const Schema* part : schemas) {
      Reason reason;
      Check check(reason_ == nullptr ? nullptr : &reason);
      check.depth_ = depth_;
      if (check.fits(*part, value, place)) return true;
      if (reason.depth > deepest.depth) deepest = reason;
    }
    if (deepest.depth <= place.depth) return fail(value, place, "expected a match of one of the alternatives");
    *reason_ = deepest;
    return false;
  }

  bool fits_number(const Schema& schema, const Json& value, const Place& place) {
    const auto bound = [&](const std::optional<Json>& limit, int sign, bool exclusive, const char* word) {
      if (!limit) return true;
      const int order = compare_numbers(value, *limit) * sign;
      if (order > 0 || (order == 0 && !exclusive)) return true;
      return fail(value, place, reason_ == nullptr ? "" : std::string("expected ") + word + " " + limit->dump());
    };
    if (!bound(schema.minimum, 1, false, "at least") || !bound(schema.maximum, -1, false, "at most") ||
        !bound(schema.exclusive_minimum, 1, true, "more than") ||
        !bound(schema.exclusive_maximum, -1, true, "less than"))
      return false;
    if (!schema.multiple_of || is_multiple(value, *schema.multiple_of)) return true;
    return fail(value, place, reason_ == nullptr ? "" : "expected a multiple of " + schema.multiple_of->dump());
  }

  bool fits_count(Counts counts, std::int64_t found, const char* unit, const Json& value, const Place& place) {
    if (found >= counts.least && (counts.most == unlimited || found <= counts.most)) return true;
    if (reason_ == nullptr) return false;
    const std::string limit =
        found < counts.least ? "at least " + std::to_string(counts.least) : "at most " + std::to_string(counts.most);
    return fail(value, place, "expected " + limit + " " + unit);
  }

  bool fits_string(const Schema& schema, const Json& value, const Place& place) {
    const auto& text = value.get_ref<const std::string&>();
    if (schema.length.least > 0 || schema.length.most != unlimited)
      if (!fits_count(schema.length, count_characters(text), "characters", value, place)) return false;
    if (schema.pattern == nullptr || schema.pattern->search(text)) return true;
    return fail(value, place, "expected a match of the pattern " + schema.pattern->text());
  }

  bool fits_array(const Schema& schema, const Json& value, const Place& place) {
    if (!fits_count(schema.item_count, static_cast<std::int64_t>(value.size()), "items", value, place)) return false;
    std::int64_t contained = 0;
    for (std::size_t i = 0; i < value.size(); ++i) {
      const Place item{&place, nullptr, i, place.depth + 1};
      const Schema* part = i < schema.prefix_items.size() ? schema.prefix_items[i] : schema.items;
      if (part != nullptr && !fits(*part, value[i], item)) return false;
      if (schema.contains != nullptr && quietly(*schema.contains, value[i], item)) ++contained;
    }
    if (schema.contains != nullptr &&
        !fits_count(schema.contained, contained, "items that match \"contains\"", value, place))
      return false;
    return !schema.unique_items || has_unique_items(value) || fail(value, place, "expected no item twice");
  }

  static bool has_unique_items(const Json& value) {
    for (std::size_t i = 0; i < value.size(); ++i)
      for (std::size_t j = 0; j < i; ++j)
        if (equal_values(value[i], value[j])) return false;
    return true;
  }

  bool fits_object(const Schema& schema, const Json& value, const Place& place) {
    if (!fits_count(schema.property_count, static_cast<std::int64_t>(value.size()), "properties", value, place))
      return false;
    for (const std::string& name : schema.required)
      if (!value.contains(name))
        return fail(value, place, reason_ == nullptr ? "" : "expected the property \"" + name + "\"");
    for (const auto& item : value.items())
      if (!fits_property(schema, item.key(), item.value(), place)) return false;
    for (const auto& [name, needed] : schema.dependent_required)
      for (const std::string& other : needed)
        if (value.contains(name) && !value.contains(other))
          return fail(value, place, "expected the property \"" + other + "\" beside \"" + name + "\"");
    for (const auto& [name, part] : schema.dependent_schemas)
      if (value.contains(name) && !fits(*part, value, place)) return false;
    return true;
  }

  bool fits_property(const Schema& schema, const std::string& name, const Json& value, const Place& object) {
    const Place place{&object, &name, 0, object.depth + 1};
    if (schema.property_names != nullptr && !fits(*schema.property_names, Json(name), place)) return false;
    const Schema* named = schema.property(name);
    bool known = named != nullptr;
    if (known && !fits(*named, value, place)) return false;
    for (const auto& [pattern, part] : schema.pattern_properties) {
      if (!pattern->search(name)) continue;
      known = true;
      if (!fits(*part, value, place)) return false;
    }
    return known || schema.additional_properties == nullptr || fits(*schema.additional_properties, value, place);
  }

  Reason* reason_;
  int depth_ = 0;
};

}  // namespace

bool fits(const Schema& schema, const Json& value) {
  return Check(nullptr).fits(schema, value, Place{});
}

bool fits_own_keywords(const Schema& schema, const Json& value) {
  return Check(nullptr).fits_own(schema, value, Place{});
}

std::optional<std::string> violation(const Schema& schema, const Json& value) {
  if (fits(schema, value)) return std::nullopt;
  Reason reason;
  Check(&reason).fits(schema, value, Place{});
  return reason.text.empty() ? "does not match the schema" : reason.text;
}

}  // namespace retort::schema
