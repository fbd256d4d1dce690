// Filters on lists and dicts: length, first, sort, dictsort, … Those that select items are in selection_filters.cpp.
#include <algorithm>
#include <stdexcept>

#include "template/arguments.h"
#include "template/arithmetic.h"
#include "template/functions.h"
#include "template/unicode.h"
#include "template/value_text.h"

namespace retort::jinja {
namespace {

using SequenceKind = Sequence::Kind;

Value length(Session& session, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("length", arguments, {});
  if (value.is_undefined()) return Value::integer(0);
  const Sequence* sequence = value.sequence_or_null();
  if (sequence != nullptr && (sequence->kind != SequenceKind::generator || session.javascript()))
    return Value::integer(static_cast<std::int64_t>(sequence->items.size()));
  if (const Dict* dict = value.dict_or_null()) return Value::integer(static_cast<std::int64_t>(dict->entries.size()));
  const std::string* text = value.text_or_null();
  if (text == nullptr)
    throw std::invalid_argument("a '" + type_name(value) + "' has no length" +
                                (sequence != nullptr ? "; make a list of it with the filter 'list'" : ""));
  session.step(text->size() / 64);
  return Value::integer(static_cast<std::int64_t>(character_count(*text)));
}

Value first(Session& session, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("first", arguments, {});
  Sequence* sequence = value.sequence_or_null();
  if (sequence != nullptr && sequence->kind == SequenceKind::generator && sequence->consumed < sequence->items.size())
    return sequence->items[sequence->consumed++];
  std::vector<Value> items = iterate(session, value);
  return items.empty() ? Value::undefined("No first item, sequence was empty.") : std::move(items.front());
}

void refuse_generator(const Value& value, const char* filter) {
  const Sequence* sequence = value.sequence_or_null();
  if (sequence != nullptr && sequence->kind == SequenceKind::generator)
    throw std::invalid_argument(std::string(filter) + ": a generator cannot be reversed; make a list of it first");
}

Value last(Session& session, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("last", arguments, {});
  if (!session.javascript()) refuse_generator(value, "last");
  std::vector<Value> items = iterate(session, value);
  return items.empty() ? Value::undefined("No last item, sequence was empty.") : std::move(items.back());
}

Value list(Session& session, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("list", arguments, {});
  return session.list(iterate(session, value));
}

Value reverse(Session& session, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("reverse", arguments, {});
  std::vector<Value> items = iterate(session, value);
  std::reverse(items.begin(), items.end());
  if (value.text_or_null() != nullptr) {
    std::string text;
    for (const Value& item : items) text += *item.text_or_null();
    return session.text_like(value, std::move(text));
  }
  const Sequence* sequence = value.sequence_or_null();
  const bool generator = sequence != nullptr && sequence->kind == SequenceKind::generator;
  return session.list(std::move(items), generator ? SequenceKind::list : SequenceKind::generator);
}

Value without_case(Session& session, Value value) {
  const std::string* text = value.text_or_null();
  return text == nullptr ? value : session.text(lower(*text));
}

/// What sort, unique, min and max compare: the attributes that are named, without case unless it counts.
Value key_of(Session& session, const Value& item, const Value* attribute, bool case_sensitive) {
  Value key = attribute == nullptr || attribute->is_none() ? item : attribute_path(session, item, *attribute);
  return case_sensitive ? key : without_case(session, std::move(key));
}

using Keyed = std::vector<std::pair<Value, Value>>;  ///< key, item

std::vector<Value> sorted(Session& session, Keyed keyed, bool reverse) {
  std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
    return reverse ? less(session, b.first, a.first) : less(session, a.first, b.first);
  });
  std::vector<Value> items;
  items.reserve(keyed.size());
  for (auto& [key, item] : keyed) items.push_back(std::move(item));
  return items;
}

Value sort(Session& session, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("sort", arguments, {"reverse", "case_sensitive", "attribute"});
  std::vector<Value> attributes;  // "a,b" are two
  if (const Value* attribute = bound.find(2)) {
    const std::string* text = attribute->text_or_null();
    std::string_view rest = text == nullptr ? std::string_view() : *text;
    if (text == nullptr) attributes.push_back(*attribute);
    for (bool more = text != nullptr; more;) {
      const auto comma = rest.find(',');
      more = comma != std::string_view::npos;
      attributes.push_back(Value::text(std::string(rest.substr(0, comma))));
      rest.remove_prefix(more ? comma + 1 : rest.size());
    }
  }
  if (attributes.empty()) attributes.emplace_back();
  Keyed keyed;
  for (const Value& item : iterate(session, value)) {
    std::vector<Value> keys;
    for (const Value& attribute : attributes) keys.push_back(key_of(session, item, &attribute, bound.flag(1, false)));
    keyed.emplace_back(session.list(std::move(keys)), item);
  }
  return session.list(sorted(session, std::move(keyed), bound.flag(0, false)));
}

Value dictsort(Session& session, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("dictsort", arguments, {"case_sensitive", "by", "reverse"});
  const Dict* dict = value.dict_or_null();
  if (dict == nullptr) throw std::invalid_argument("dictsort: expected a dict, found a " + type_name(value));
  const std::string by = bound.text(1, "key");
  if (by != "key" && by != "value") throw std::invalid_argument("dictsort: expected by='key' or by='value'");
  Keyed keyed;
  for (const auto& [key, item] : dict->entries)
    keyed.emplace_back(key_of(session, by == "key" ? key : item, nullptr, bound.flag(0, false)),
                       session.list({key, item}, SequenceKind::tuple));
  return session.list(sorted(session, std::move(keyed), bound.flag(2, false)));
}

Value unique(Session& session, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("unique", arguments, {"case_sensitive", "attribute"});
  std::vector<Value> seen, items;
  for (const Value& item : iterate(session, value)) {
    Value key = key_of(session, item, bound.find(1), bound.flag(0, false));
    const bool known =
        std::any_of(seen.begin(), seen.end(), [&](const Value& other) { return equal(session, other, key); });
    if (known) continue;
    seen.push_back(std::move(key));
    items.push_back(item);
  }
  return session.list(std::move(items), SequenceKind::generator);
}

template <bool greatest>
Value extreme(Session& session, const Value& value, const Arguments& arguments) {
  const BoundArguments bound(greatest ? "max" : "min", arguments, {"case_sensitive", "attribute"});
  std::optional<std::pair<Value, Value>> best;
  for (const Value& item : iterate(session, value)) {
    Value key = key_of(session, item, bound.find(1), bound.flag(0, false));
    if (!best || (greatest ? less(session, best->first, key) : less(session, key, best->first)))
      best.emplace(std::move(key), item);
  }
  return best ? best->second : Value::undefined("No aggregated item, sequence was empty.");
}

Value sum(Session& session, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("sum", arguments, {"attribute", "start"});
  Value total = bound.find(1) == nullptr ? Value::integer(0) : bound.value(1);
  if (total.text_or_null() != nullptr) throw std::invalid_argument("sum: texts are joined with the filter 'join'");
  for (const Value& item : iterate(session, value))
    total = arithmetic(session, Binary::Operator::add, total,
                       bound.is_absent_or_none(0) ? item : attribute_path(session, item, bound.value(0)));
  return total;
}

Value items(Session& session, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("items", arguments, {});
  std::vector<Value> pairs;
  if (const Dict* dict = value.dict_or_null()) {
    for (const auto& [key, item] : dict->entries) pairs.push_back(session.list({key, item}, SequenceKind::tuple));
  } else if (!value.is_undefined()) {
    throw std::invalid_argument("items: expected a dict, found a " + type_name(value));
  }
  return session.list(std::move(pairs), SequenceKind::generator);
}

Value batch(Session& session, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("batch", arguments, {"linecount", "fill_with"}, 1);
  const std::int64_t size = bound.integer(0, 0);
  if (size < 1 || size > 100'000) throw std::invalid_argument("batch: expected 1 to 100000 items a batch");
  std::vector<Value> batches, open;
  for (const Value& item : iterate(session, value)) {
    if (static_cast<std::int64_t>(open.size()) == size) batches.push_back(session.list(std::exchange(open, {})));
    open.push_back(item);
  }
  if (!open.empty() && !bound.is_absent_or_none(1)) open.resize(static_cast<std::size_t>(size), bound.value(1));
  if (!open.empty()) batches.push_back(session.list(std::move(open)));
  return session.list(std::move(batches), SequenceKind::generator);
}

Value slice(Session& session, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("slice", arguments, {"slices", "fill_with"}, 1);
  const std::int64_t count = bound.integer(0, 0);
  if (count < 1 || count > 100'000) throw std::invalid_argument("slice: expected 1 to 100000 slices");
  const std::vector<Value> all = iterate(session, value);
  const auto slices = static_cast<std::size_t>(count);
  auto begin = all.begin();
  std::vector<Value> result;
  for (std::size_t i = 0; i < slices; ++i) {
    const bool longer = i < all.size() % slices;
    const auto end = begin + static_cast<std::ptrdiff_t>(all.size() / slices + (longer ? 1 : 0));
    std::vector<Value> part(begin, end);
    if (!longer && !bound.is_absent_or_none(1)) part.push_back(bound.value(1));
    result.push_back(session.list(std::move(part)));
    begin = end;
  }
  return session.list(std::move(result), SequenceKind::generator);
}

}  // namespace

const std::vector<NamedBuiltIn>& sequence_filters() {
  static const std::vector<NamedBuiltIn> table = {
      {"batch", batch},     {"count", length},  {"dictsort", dictsort}, {"first", first},       {"items", items},
      {"last", last},       {"length", length}, {"list", list},         {"max", extreme<true>}, {"min", extreme<false>},
      {"reverse", reverse}, {"slice", slice},   {"sort", sort},         {"sum", sum},           {"unique", unique}};
  return table;
}

}  // namespace retort::jinja
