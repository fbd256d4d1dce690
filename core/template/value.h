// What expressions of a template compute: Python's values as Jinja2 sees them, immutable except for namespaces, the
// position of generators and the state of loops. Integers have 64 bits; Python's have no end, so overflow is an error.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace retort::jinja {

class Value;
class Session;
struct Arguments;
struct Sequence;
struct Dict;
struct Namespace;
struct Function;
struct Loop;

using Text = std::shared_ptr<const std::string>;

/// markupsafe.Markup, which the filter `safe` makes: a text whose `+` and some of its methods escape what is added.
struct Markup {
  Text text;
};

struct Undefined {
  Text hint;  ///< what to say when it is used, for example "'x' is undefined"
};
struct None {};

/// Cheap to copy. Not shared between renderings.
class Value {
 public:
  using Data = std::variant<Undefined, None, bool, std::int64_t, double, Text, std::shared_ptr<Sequence>,
                            std::shared_ptr<const Dict>, std::shared_ptr<Namespace>, std::shared_ptr<const Function>,
                            std::shared_ptr<Loop>, Markup>;

  Value() : data_(None()) {}
  explicit Value(Data data) : data_(std::move(data)) {}
  static Value undefined(std::string hint);
  static Value boolean(bool value) { return Value(Data(value)); }
  static Value integer(std::int64_t value) { return Value(Data(value)); }
  static Value floating(double value) { return Value(Data(value)); }
  static Value text(std::string value);
  static Value markup(std::string value);
  static Value function(std::string name, std::function<Value(Session&, Arguments)> body);

  const Data& data() const { return data_; }
  template <typename Kind>
  const Kind* get() const {
    return std::get_if<Kind>(&data_);
  }
  bool is_undefined() const { return get<Undefined>() != nullptr; }
  bool is_none() const { return get<None>() != nullptr; }
  const std::string* text_or_null() const;  ///< of markup too
  bool is_markup() const { return get<Markup>() != nullptr; }
  Sequence* sequence_or_null() const;
  const Dict* dict_or_null() const;
  /// Python's int: bool counts as one. Nothing else does.
  bool is_integral() const { return get<bool>() != nullptr || get<std::int64_t>() != nullptr; }
  bool is_number() const { return is_integral() || get<double>() != nullptr; }
  std::int64_t as_integer() const;  ///< of an integral value
  double as_double() const;         ///< of a number

 private:
  Data data_;
};

struct Sequence {
  enum class Kind { list, tuple, range, generator, keys, values, items };
  Kind kind = Kind::list;
  std::vector<Value> items;
  std::size_t consumed = 0;  ///< of a generator: items that iteration has taken; they do not come again
  int depth = 1;             ///< nested containers, itself included
};

/// Insertion order kept. Keys are hashable: no sequences but tuples, no dicts.
struct Dict {
  std::vector<std::pair<Value, Value>> entries;
  std::unordered_map<std::string_view, std::size_t> by_text;  ///< the keys that are texts
  int depth = 1;

  const Value* find(std::string_view key) const;
  const Value* find(Session& session, const Value& key) const;  ///< throws for a key that Python cannot hash
};

/// The one thing that a template can change.
struct Namespace {
  std::vector<std::pair<std::string, Value>> attributes;
  const Value* find(std::string_view name) const;
  void set(std::string_view name, Value value);
};

struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

struct Function {
  std::string name;
  std::function<Value(Session&, Arguments)> body;
};

/// Nesting is bounded here, so that whatever walks or destroys a value may recurse. Throw std::invalid_argument.
Value make_sequence(Sequence::Kind kind, std::vector<Value> items);
inline Value make_list(std::vector<Value> items) {
  return make_sequence(Sequence::Kind::list, std::move(items));
}
Value make_dict(Session& session, std::vector<std::pair<Value, Value>> entries);  ///< the last of equal keys counts

std::string type_name(const Value& value);  ///< Python's: "str", "dict", "NoneType", …
bool truth(const Value& value);
/// Python's ==. Throws std::invalid_argument only where a limit is exceeded.
bool equal(Session& session, const Value& left, const Value& right);
/// Python's <. Throws std::invalid_argument for types without an order.
bool less(Session& session, const Value& left, const Value& right);
/// The items that iteration yields (a generator's are consumed). Throws std::invalid_argument if there is none.
std::vector<Value> iterate(Session& session, const Value& value);
/// The message of an operation on an undefined value.
[[noreturn]] void refuse_undefined(const Value& value);

}  // namespace retort::jinja
