// Filters that apply another filter, a test or an attribute to each item: map, select, reject, selectattr, rejectattr.
// Their results are generators: true, without a length, and gone once they were iterated.
#include <algorithm>
#include <charconv>
#include <stdexcept>

#include "template/arguments.h"
#include "template/functions.h"

namespace retort::jinja {
namespace {

Arguments without_first(const Arguments& arguments, std::size_t count) {
  Arguments rest = arguments;
  rest.positional.erase(rest.positional.begin(), rest.positional.begin() + static_cast<std::ptrdiff_t>(count));
  return rest;
}

std::string name_in(const Value& value, const char* what) {
  if (value.text_or_null() == nullptr)
    throw std::invalid_argument(std::string("expected the name of a ") + what + ", found a " + type_name(value));
  return *value.text_or_null();
}

Value map_attribute(Session& session, const Value& value, const Arguments& arguments) {
  const Arguments named{{}, arguments.named};
  const BoundArguments bound("map", named, {"attribute", "default"}, 1);
  std::vector<Value> items;
  for (const Value& item : iterate(session, value)) {
    items.push_back(
        attribute_path(session, item, bound.value(0), bound.is_absent_or_none(1) ? nullptr : &bound.value(1)));
  }
  return session.list(std::move(items), Sequence::Kind::generator);
}

Value map(Session& session, const Value& value, const Arguments& arguments) {
  if (!truth(value)) return session.list({}, Sequence::Kind::generator);
  if (arguments.positional.empty()) return map_attribute(session, value, arguments);
  const std::string name = name_in(arguments.positional[0], "filter");
  const BuiltIn filter = find_filter(name);
  if (filter == nullptr) throw std::invalid_argument("the filter '" + name + "' is not supported");
  const Arguments rest = without_first(arguments, 1);
  std::vector<Value> items;
  for (const Value& item : iterate(session, value)) items.push_back(filter(session, item, rest));
  return session.list(std::move(items), Sequence::Kind::generator);
}

/// `by_attribute`: the first argument names what of an item is tested. Without a test, its truth is.
Value chosen(Session& session, const Value& value, const Arguments& arguments, bool by_attribute, bool wanted) {
  const std::size_t place = by_attribute ? 1 : 0;
  if (arguments.positional.size() < place) throw std::invalid_argument("expected the name of an attribute, found none");
  BuiltIn test = nullptr;
  Arguments rest;
  if (arguments.positional.size() > place) {
    const std::string name = name_in(arguments.positional[place], "test");
    test = find_test(name);
    if (test == nullptr) throw std::invalid_argument("the test '" + name + "' is not supported");
    rest = without_first(arguments, place + 1);
  }
  std::vector<Value> items;
  for (const Value& item : truth(value) ? iterate(session, value) : std::vector<Value>()) {
    const Value subject = by_attribute ? attribute_path(session, item, arguments.positional[0]) : item;
    const bool passed = truth(test == nullptr ? subject : test(session, subject, rest));
    if (passed == wanted) items.push_back(item);
  }
  return session.list(std::move(items), Sequence::Kind::generator);
}

template <bool by_attribute, bool wanted>
Value choose(Session& session, const Value& value, const Arguments& arguments) {
  return chosen(session, value, arguments, by_attribute, wanted);
}

Value default_value(Session&, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("default", arguments, {"default_value", "boolean"});
  const bool replace = value.is_undefined() || (bound.flag(1, false) && !truth(value));
  if (!replace) return value;
  return bound.find(0) == nullptr ? Value::text("") : bound.value(0);
}

}  // namespace

Value attribute_path(Session& session, const Value& item, const Value& path, const Value* fallback) {
  const auto step = [&](const Value& object, const Value& key) {
    Value found = get_item(session, object, key);
    return found.is_undefined() && fallback != nullptr ? *fallback : found;
  };
  const std::string* text = path.text_or_null();
  if (text == nullptr) return step(item, path);
  Value value = item;
  for (std::string_view rest = *text;;) {
    const auto dot = rest.find('.');
    const std::string_view part = rest.substr(0, dot);
    std::int64_t index = 0;
    const auto number = std::from_chars(part.data(), part.data() + part.size(), index);
    const bool is_index = !part.empty() && number.ptr == part.data() + part.size() && number.ec == std::errc();
    value = step(value, is_index && part[0] != '-' ? Value::integer(index) : Value::text(std::string(part)));
    if (dot == std::string_view::npos) return value;
    rest.remove_prefix(dot + 1);
  }
}

const std::vector<NamedBuiltIn>& selection_filters() {
  static const std::vector<NamedBuiltIn> table = {{"d", default_value},
                                                  {"default", default_value},
                                                  {"map", map},
                                                  {"reject", choose<false, false>},
                                                  {"rejectattr", choose<true, false>},
                                                  {"select", choose<false, true>},
                                                  {"selectattr", choose<true, true>}};
  return table;
}

}  // namespace retort::jinja
