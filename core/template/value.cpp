// Construction, truth, equality and order of values: Python's data model, sections 3.3.1 and 6.10 of its reference.
#include "template/value.h"

#include <algorithm>
#include <stdexcept>

#include "template/session.h"
#include "template/unicode.h"

namespace retort::jinja {
namespace {

constexpr int greatest_depth = 100;

int depth_of(const Value& value) {
  if (const Sequence* sequence = value.sequence_or_null()) return sequence->depth;
  if (const Dict* dict = value.dict_or_null()) return dict->depth;
  return 0;
}

int depth_above(int depth, const Value& item) {
  const int above = std::max(depth, depth_of(item) + 1);
  if (above > greatest_depth)
    throw std::invalid_argument("expected at most " + std::to_string(greatest_depth) +
                                " nested lists and objects, found more");
  return above;
}

void require_hashable(const Value& key) {
  if (key.dict_or_null() != nullptr) throw std::invalid_argument("a dict cannot be a key");
  const Sequence* sequence = key.sequence_or_null();
  if (sequence == nullptr) return;
  if (sequence->kind != Sequence::Kind::tuple) throw std::invalid_argument("a " + type_name(key) + " cannot be a key");
  for (const Value& item : sequence->items) require_hashable(item);
}

bool equal_items(Session& session, const Sequence& left, const Sequence& right) {
  if (left.kind != right.kind || left.items.size() != right.items.size()) return false;
  for (std::size_t i = 0; i < left.items.size(); ++i)
    if (!equal(session, left.items[i], right.items[i])) return false;
  return true;
}

bool equal_entries(Session& session, const Dict& left, const Dict& right) {
  if (left.entries.size() != right.entries.size()) return false;
  for (const auto& [key, value] : left.entries) {
    const Value* other = right.find(session, key);
    if (other == nullptr || !equal(session, value, *other)) return false;
  }
  return true;
}

[[noreturn]] void refuse_order(const Value& left, const Value& right) {
  throw std::invalid_argument("'<' is not supported between '" + type_name(left) + "' and '" + type_name(right) + "'");
}

}  // namespace

Value Value::undefined(std::string hint) {
  return Value(Data(Undefined{std::make_shared<const std::string>(std::move(hint))}));
}
Value Value::text(std::string value) {
  return Value(Data(std::make_shared<const std::string>(std::move(value))));
}
Value Value::markup(std::string value) {
  return Value(Data(Markup{std::make_shared<const std::string>(std::move(value))}));
}
Value Value::function(std::string name, std::function<Value(Session&, Arguments)> body) {
  return Value(Data(std::make_shared<const Function>(Function{std::move(name), std::move(body)})));
}
const std::string* Value::text_or_null() const {
  if (const Markup* markup = get<Markup>()) return markup->text.get();
  const Text* text = get<Text>();
  return text == nullptr ? nullptr : text->get();
}
Sequence* Value::sequence_or_null() const {
  const auto* sequence = get<std::shared_ptr<Sequence>>();
  return sequence == nullptr ? nullptr : sequence->get();
}
const Dict* Value::dict_or_null() const {
  const auto* dict = get<std::shared_ptr<const Dict>>();
  return dict == nullptr ? nullptr : dict->get();
}
std::int64_t Value::as_integer() const {
  const bool* boolean = get<bool>();
  return boolean != nullptr ? static_cast<std::int64_t>(*boolean) : std::get<std::int64_t>(data_);
}
double Value::as_double() const {
  const double* floating = get<double>();
  return floating != nullptr ? *floating : static_cast<double>(as_integer());
}

const Value* Dict::find(std::string_view key) const {
  const auto found = by_text.find(key);
  return found == by_text.end() ? nullptr : &entries[found->second].second;
}

const Value* Dict::find(Session& session, const Value& key) const {
  if (const std::string* text = key.text_or_null()) return find(*text);
  require_hashable(key);
  if (by_text.size() == entries.size()) return nullptr;
  for (const auto& [candidate, value] : entries)
    if (equal(session, candidate, key)) return &value;
  return nullptr;
}

const Value* Namespace::find(std::string_view name) const {
  for (const auto& [attribute, value] : attributes)
    if (attribute == name) return &value;
  return nullptr;
}

void Namespace::set(std::string_view name, Value value) {
  for (auto& [attribute, old] : attributes) {
    if (attribute != name) continue;
    old = std::move(value);
    return;
  }
  attributes.emplace_back(std::string(name), std::move(value));
}

Value make_sequence(Sequence::Kind kind, std::vector<Value> items) {
  auto sequence = std::make_shared<Sequence>();
  sequence->kind = kind;
  for (const Value& item : items) sequence->depth = depth_above(sequence->depth, item);
  sequence->items = std::move(items);
  return Value(Value::Data(std::move(sequence)));
}

Value make_dict(Session& session, std::vector<std::pair<Value, Value>> entries) {
  auto dict = std::make_shared<Dict>();
  dict->entries.reserve(entries.size());  // by_text has views of the keys, which are shared and stay where they are
  for (auto& [key, value] : entries) {
    dict->depth = depth_above(depth_above(dict->depth, key), value);
    if (const Value* old = dict->find(session, key)) {
      const_cast<Value&>(*old) = std::move(value);
      continue;
    }
    if (const std::string* text = key.text_or_null()) dict->by_text.emplace(*text, dict->entries.size());
    dict->entries.emplace_back(std::move(key), std::move(value));
  }
  return Value(Value::Data(std::shared_ptr<const Dict>(std::move(dict))));
}

std::string type_name(const Value& value) {
  static const char* const names[] = {"Undefined", "NoneType", "bool",      "int",      "float",       "str",
                                      "list",      "dict",     "Namespace", "function", "LoopContext", "Markup"};
  static const char* const sequences[] = {"list",      "tuple",       "range",     "generator",
                                          "dict_keys", "dict_values", "dict_items"};
  if (const Sequence* sequence = value.sequence_or_null()) return sequences[static_cast<int>(sequence->kind)];
  return names[value.data().index()];
}

bool truth(const Value& value) {
  if (value.is_undefined() || value.is_none()) return false;
  if (value.is_integral()) return value.as_integer() != 0;
  if (const double* number = value.get<double>()) return *number != 0;
  if (const std::string* text = value.text_or_null()) return !text->empty();
  if (const Dict* dict = value.dict_or_null()) return !dict->entries.empty();
  if (const Sequence* sequence = value.sequence_or_null())
    return sequence->kind == Sequence::Kind::generator || !sequence->items.empty();
  return true;
}

bool equal(Session& session, const Value& left, const Value& right) {
  session.step();
  if (left.is_number() && right.is_number()) {
    if (left.is_integral() && right.is_integral()) return left.as_integer() == right.as_integer();
    return left.as_double() == right.as_double();
  }
  if (const std::string* text = left.text_or_null(); text != nullptr && right.text_or_null() != nullptr)
    return *text == *right.text_or_null();
  if (left.data().index() != right.data().index()) return false;
  if (const Sequence* sequence = left.sequence_or_null())
    return sequence == right.sequence_or_null() || equal_items(session, *sequence, *right.sequence_or_null());
  if (const Dict* dict = left.dict_or_null())
    return dict == right.dict_or_null() || equal_entries(session, *dict, *right.dict_or_null());
  if (left.is_undefined() || left.is_none()) return true;
  if (const auto* space = left.get<std::shared_ptr<Namespace>>())
    return *space == *right.get<std::shared_ptr<Namespace>>();
  if (const auto* loop = left.get<std::shared_ptr<Loop>>()) return *loop == *right.get<std::shared_ptr<Loop>>();
  return left.get<std::shared_ptr<const Function>>()->get() == right.get<std::shared_ptr<const Function>>()->get();
}

bool less(Session& session, const Value& left, const Value& right) {
  session.step();
  if (left.is_undefined()) refuse_undefined(left);
  if (right.is_undefined()) refuse_undefined(right);
  if (left.is_number() && right.is_number()) {
    if (left.is_integral() && right.is_integral()) return left.as_integer() < right.as_integer();
    return left.as_double() < right.as_double();
  }
  const std::string* text = left.text_or_null();
  if (text != nullptr && right.text_or_null() != nullptr) return *text < *right.text_or_null();  // code point order
  const Sequence* a = left.sequence_or_null();
  const Sequence* b = right.sequence_or_null();
  const bool ordered = a != nullptr && b != nullptr && a->kind == b->kind &&
                       (a->kind == Sequence::Kind::list || a->kind == Sequence::Kind::tuple);
  if (!ordered) refuse_order(left, right);
  for (std::size_t i = 0; i < std::min(a->items.size(), b->items.size()); ++i)
    if (!equal(session, a->items[i], b->items[i])) return less(session, a->items[i], b->items[i]);
  return a->items.size() < b->items.size();
}

std::vector<Value> iterate(Session& session, const Value& value) {
  std::vector<Value> items;
  if (value.is_undefined()) return items;
  if (Sequence* sequence = value.sequence_or_null()) {
    session.step(sequence->items.size());
    if (sequence->kind != Sequence::Kind::generator || session.javascript()) return sequence->items;
    items.assign(sequence->items.begin() + static_cast<std::ptrdiff_t>(sequence->consumed), sequence->items.end());
    sequence->consumed = sequence->items.size();
    return items;
  }
  if (const Dict* dict = value.dict_or_null()) {
    session.step(dict->entries.size());
    for (const auto& entry : dict->entries) items.push_back(entry.first);
    return items;
  }
  const std::string* text = value.text_or_null();
  if (text == nullptr) throw std::invalid_argument("'" + type_name(value) + "' is not iterable");
  session.produce(text->size() * sizeof(Value));
  for (const std::string_view character : characters(*text)) items.push_back(Value::text(std::string(character)));
  return items;
}

void refuse_undefined(const Value& value) {
  throw std::invalid_argument(*value.get<Undefined>()->hint);
}

}  // namespace retort::jinja
