// Attributes, items, slices and `in`: what Jinja2's sandbox and Python do for the types of value.h. Dict and list
// methods are here as well; those of texts are in text_methods.cpp.
#include <algorithm>
#include <array>
#include <stdexcept>

#include "template/arguments.h"
#include "template/functions.h"
#include "template/unicode.h"

namespace retort::jinja {
namespace {

using SequenceKind = Sequence::Kind;

template <std::size_t Size>
bool is_among(std::string_view name, const std::array<std::string_view, Size>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// What ImmutableSandboxedEnvironment makes undefined, because it would change a value that others see.
bool is_unsafe(const Value& object, std::string_view name) {
  static constexpr std::array<std::string_view, 5> of_dicts = {"clear", "pop", "popitem", "setdefault", "update"};
  static constexpr std::array<std::string_view, 8> of_lists = {"append", "clear",   "extend", "insert",
                                                               "pop",    "reverse", "remove", "sort"};
  if (object.dict_or_null() != nullptr) return is_among(name, of_dicts);
  const Sequence* sequence = object.sequence_or_null();
  return sequence != nullptr && sequence->kind == SequenceKind::list && is_among(name, of_lists);
}

/// What Python has and this does not: an item of the same name must not take its place.
bool is_unsupported(const Value& object, std::string_view name) {
  static constexpr std::array<std::string_view, 9> of_numbers = {
      "real",       "imag",      "numerator",        "denominator", "conjugate",
      "bit_length", "bit_count", "as_integer_ratio", "is_integer"};
  static constexpr std::array<std::string_view, 14> of_texts = {
      "casefold", "center",    "encode", "expandtabs", "format",   "format_map", "isprintable",
      "istitle",  "maketrans", "rindex", "isnumeric",  "swapcase", "translate",  "rpartition"};
  if (object.is_number()) return is_among(name, of_numbers) || name == "hex" || name == "to_bytes";
  if (object.text_or_null() != nullptr) return is_among(name, of_texts);
  if (object.dict_or_null() != nullptr) return name == "fromkeys";
  const Sequence* sequence = object.sequence_or_null();
  if (sequence == nullptr) return object.get<std::shared_ptr<const Function>>() != nullptr;
  if (sequence->kind == SequenceKind::list) return name == "copy";
  return sequence->kind == SequenceKind::range && (name == "start" || name == "stop" || name == "step");
}

bool is_internal(std::string_view name) {
  return name.starts_with("__") && name.ends_with("__");
}

std::string object_name(const Value& value) {
  return value.is_none() ? "None" : type_name(value) + " object";
}

const Dict& dict_of(const Value& value) {
  return *value.dict_or_null();
}

Value dict_get(Session& session, const Value& object, const Arguments& arguments) {
  const BoundArguments bound("get", arguments, {"key", "default"}, 1);
  if (const Value* found = dict_of(object).find(session, bound.value(0))) return *found;
  return bound.find(1) == nullptr ? Value() : bound.value(1);
}

Value dict_view(Session& session, const Value& object, const Arguments& arguments, SequenceKind kind) {
  const BoundArguments bound(kind == SequenceKind::keys     ? "keys"
                             : kind == SequenceKind::values ? "values"
                                                            : "items",
                             arguments, {});
  std::vector<Value> items;
  for (const auto& [key, value] : dict_of(object).entries)
    items.push_back(kind == SequenceKind::keys     ? key
                    : kind == SequenceKind::values ? value
                                                   : session.list({key, value}, SequenceKind::tuple));
  return session.list(std::move(items), kind);
}
Value dict_keys(Session& session, const Value& object, const Arguments& arguments) {
  return dict_view(session, object, arguments, SequenceKind::keys);
}
Value dict_values(Session& session, const Value& object, const Arguments& arguments) {
  return dict_view(session, object, arguments, SequenceKind::values);
}
Value dict_items(Session& session, const Value& object, const Arguments& arguments) {
  return dict_view(session, object, arguments, SequenceKind::items);
}
Value dict_copy(Session&, const Value& object, const Arguments& arguments) {
  const BoundArguments bound("copy", arguments, {});
  return object;  // nothing can change either
}

Value sequence_count(Session& session, const Value& object, const Arguments& arguments) {
  const BoundArguments bound("count", arguments, {"value"}, 1);
  std::int64_t count = 0;
  for (const Value& item : object.sequence_or_null()->items) count += equal(session, item, bound.value(0)) ? 1 : 0;
  return Value::integer(count);
}
Value sequence_index(Session& session, const Value& object, const Arguments& arguments) {
  const BoundArguments bound("index", arguments, {"value"}, 1);
  const std::vector<Value>& items = object.sequence_or_null()->items;
  for (std::size_t i = 0; i < items.size(); ++i)
    if (equal(session, items[i], bound.value(0))) return Value::integer(static_cast<std::int64_t>(i));
  throw std::invalid_argument("index: the value is not in the list");
}

BuiltIn find(const std::vector<NamedBuiltIn>& table, std::string_view name) {
  for (const NamedBuiltIn& entry : table)
    if (entry.name == name) return entry.function;
  return nullptr;
}

bool is_indexable(const Value& object) {
  const Sequence* sequence = object.sequence_or_null();
  return sequence != nullptr && sequence->kind <= SequenceKind::range;
}

/// object[key] where Python finds something; null otherwise.
std::optional<Value> item_of(Session& session, const Value& object, const Value& key) {
  if (const Dict* dict = object.dict_or_null()) {
    const Sequence* sequence = key.sequence_or_null();
    if (key.dict_or_null() != nullptr || (sequence != nullptr && sequence->kind != SequenceKind::tuple))
      return std::nullopt;
    const Value* found = dict->find(session, key);
    return found == nullptr ? std::nullopt : std::optional(*found);
  }
  if (!key.is_integral()) return std::nullopt;
  const std::int64_t index = key.as_integer();
  const auto place = [&](std::size_t size) -> std::optional<std::size_t> {
    const auto count = static_cast<std::int64_t>(size);
    if (index >= count || index < -count) return std::nullopt;
    return static_cast<std::size_t>(index < 0 ? index + count : index);
  };
  if (const std::string* text = object.text_or_null()) {
    session.step(text->size() / 16);
    const auto all = characters(*text);
    const auto found = place(all.size());
    return found ? std::optional(session.text_like(object, std::string(all[*found]))) : std::nullopt;
  }
  const Sequence* sequence = object.sequence_or_null();
  if (sequence == nullptr || (!is_indexable(object) && !session.javascript())) return std::nullopt;
  const auto found = place(sequence->items.size());
  return found ? std::optional(sequence->items[*found]) : std::nullopt;
}

/// The attribute that Python's type of `object` has; null where it has none.
std::optional<Value> attribute_of(const Value& object, const std::string& name) {
  if (const auto* space = object.get<std::shared_ptr<Namespace>>()) {
    const Value* found = (*space)->find(name);
    return found == nullptr ? std::nullopt : std::optional(*found);
  }
  if (is_unsafe(object, name) || is_internal(name))
    return Value::undefined("access to attribute '" + name + "' of '" + type_name(object) + "' object is unsafe.");
  const BuiltIn method = find_method(object, name);
  if (method == nullptr) return std::nullopt;
  return Value::function(name, [object, method](Session& session, const Arguments& arguments) {
    return method(session, object, arguments);
  });
}

/// slice.indices(): begin and end clamped to the sequence, for a step of either sign.
struct SliceRange {
  std::int64_t begin, end, step;
};
SliceRange slice_range(const Value& begin, const Value& end, const Value& step, std::size_t size) {
  const auto bound = [](const Value& value, const char* what) {
    if (!value.is_integral())
      throw std::invalid_argument(std::string("expected an integer or none as a slice's ") + what + ", found a " +
                                  type_name(value));
    return value.as_integer();
  };
  const auto length = static_cast<std::int64_t>(size);
  SliceRange range{};
  range.step = step.is_none() ? 1 : bound(step, "step");
  if (range.step == 0) throw std::invalid_argument("a slice's step cannot be 0");
  range.step = std::clamp<std::int64_t>(range.step, -length - 1, length + 1);
  const std::int64_t lowest = range.step < 0 ? -1 : 0;
  const std::int64_t highest = range.step < 0 ? length - 1 : length;
  const auto clamped = [&](const Value& value, const char* what, std::int64_t fallback) {
    if (value.is_none()) return fallback;
    std::int64_t index = bound(value, what);
    if (index < 0) index = index < -length ? lowest : index + length;
    return std::clamp(index, lowest, highest);
  };
  range.begin = clamped(begin, "begin", range.step < 0 ? highest : lowest);
  range.end = clamped(end, "end", range.step < 0 ? lowest : highest);
  return range;
}

template <typename Visit>
void walk(const SliceRange& range, Visit&& visit) {
  for (std::int64_t i = range.begin; range.step > 0 ? i < range.end : i > range.end; i += range.step)
    visit(static_cast<std::size_t>(i));
}

/// JavaScript's ===, which tells true from 1.
bool strictly_equal(Session& session, const Value& left, const Value& right) {
  if ((left.get<bool>() != nullptr) != (right.get<bool>() != nullptr)) return false;
  return equal(session, left, right);
}

}  // namespace

BuiltIn find_method(const Value& object, std::string_view name) {
  static const std::vector<NamedBuiltIn> of_dicts = {
      {"get", dict_get}, {"keys", dict_keys}, {"values", dict_values}, {"items", dict_items}, {"copy", dict_copy}};
  static const std::vector<NamedBuiltIn> of_sequences = {{"count", sequence_count}, {"index", sequence_index}};
  BuiltIn found = nullptr;
  if (object.text_or_null() != nullptr) {
    found = find(text_methods(), name);
    if (found == nullptr) found = find(text_predicates(), name);
  } else if (object.dict_or_null() != nullptr) {
    found = find(of_dicts, name);
  } else if (is_indexable(object)) {
    found = find(of_sequences, name);
  }
  if (found == nullptr && is_unsupported(object, name))
    throw std::invalid_argument("the attribute '" + std::string(name) + "' of a " + type_name(object) +
                                " is not supported");
  return found;
}

Value get_attribute(Session& session, const Value& object, const std::string& name) {
  if (object.is_undefined()) refuse_undefined(object);
  if (auto found = attribute_of(object, name)) return *std::move(found);
  if (auto found = item_of(session, object, Value::text(name))) return *std::move(found);
  return Value::undefined("'" + object_name(object) + "' has no attribute '" + name + "'");
}

Value get_item(Session& session, const Value& object, const Value& key) {
  if (object.is_undefined()) refuse_undefined(object);
  if (auto found = item_of(session, object, key)) return *std::move(found);
  const std::string* name = key.text_or_null();
  if (name == nullptr)
    return Value::undefined(object_name(object) + " has no element " +
                            (key.is_integral() ? std::to_string(key.as_integer()) : "of that " + type_name(key)));
  if (auto found = attribute_of(object, *name)) return *std::move(found);
  return Value::undefined("'" + object_name(object) + "' has no attribute '" + *name + "'");
}

Value get_slice(Session& session, const Value& object, const Value& begin, const Value& end, const Value& step) {
  if (object.is_undefined()) refuse_undefined(object);
  if (const std::string* text = object.text_or_null()) {
    session.step(text->size() / 16);
    const auto all = characters(*text);
    std::string result;
    walk(slice_range(begin, end, step, all.size()), [&](std::size_t i) { result += all[i]; });
    return session.text_like(object, std::move(result));
  }
  if (!is_indexable(object) && !(session.javascript() && object.sequence_or_null() != nullptr))
    throw std::invalid_argument("a '" + type_name(object) + "' has no slices");
  const Sequence& sequence = *object.sequence_or_null();
  std::vector<Value> items;
  walk(slice_range(begin, end, step, sequence.items.size()),
       [&](std::size_t i) { items.push_back(sequence.items[i]); });
  return session.list(std::move(items), sequence.kind);
}

bool contains(Session& session, const Value& container, const Value& item) {
  if (const std::string* text = container.text_or_null()) {
    const std::string* part = item.text_or_null();
    if (part == nullptr && session.javascript()) return false;
    if (part == nullptr)
      throw std::invalid_argument("expected a text before 'in', as a text is behind it, found a " + type_name(item));
    session.step(text->size() / 16);
    return text->find(*part) != std::string::npos;
  }
  if (const Dict* dict = container.dict_or_null()) return dict->find(session, item) != nullptr;
  const bool strict = session.javascript();
  for (const Value& candidate : iterate(session, container))
    if (strict ? strictly_equal(session, candidate, item) : equal(session, candidate, item)) return true;
  return false;
}

}  // namespace retort::jinja
