// The tests of `is`, and methods of texts that ask for a property (str.isdigit and the like).
#include <cmath>
#include <stdexcept>

#include "template/arguments.h"
#include "template/arithmetic.h"
#include "template/functions.h"
#include "template/unicode.h"
#include "template/value_text.h"

namespace retort::jinja {
namespace {

using Predicate = bool (*)(const Value& value);

/// A test without arguments.
template <Predicate predicate>
Value simple(Session&, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("test", arguments, {});
  return Value::boolean(predicate(value));
}

bool is_defined(const Value& value) {
  return !value.is_undefined();
}
bool is_undefined(const Value& value) {
  return value.is_undefined();
}
bool is_none(const Value& value) {
  return value.is_none();
}
bool is_boolean(const Value& value) {
  return value.get<bool>() != nullptr;
}
bool is_true(const Value& value) {
  return is_boolean(value) && *value.get<bool>();
}
bool is_false(const Value& value) {
  return is_boolean(value) && !*value.get<bool>();
}
bool is_integer(const Value& value) {
  return value.get<std::int64_t>() != nullptr;
}
bool is_float(const Value& value) {
  return value.get<double>() != nullptr;
}
bool is_number(const Value& value) {
  return value.is_number();
}
bool is_string(const Value& value) {
  return value.text_or_null() != nullptr;
}
bool is_mapping(const Value& value) {
  return value.dict_or_null() != nullptr;
}
bool is_callable(const Value& value) {
  return value.get<std::shared_ptr<const Function>>() != nullptr || value.is_undefined();
}
/// What has a length and items; an undefined value has both, as Jinja2 sees it.
bool is_sequence(const Value& value) {
  const Sequence* sequence = value.sequence_or_null();
  return is_string(value) || is_mapping(value) || value.is_undefined() ||
         (sequence != nullptr && sequence->kind <= Sequence::Kind::range);
}
bool is_iterable(const Value& value) {
  return is_string(value) || is_mapping(value) || value.is_undefined() || value.sequence_or_null() != nullptr ||
         value.get<std::shared_ptr<Loop>>() != nullptr;
}

bool has_remainder(Session& session, const Value& value, const Value& divisor) {
  return truth(arithmetic(session, Binary::Operator::modulo, value, divisor));
}
Value is_even(Session& session, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("even", arguments, {});
  return Value::boolean(!has_remainder(session, value, Value::integer(2)));
}
Value is_odd(Session& session, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("odd", arguments, {});
  return Value::boolean(
      equal(session, arithmetic(session, Binary::Operator::modulo, value, Value::integer(2)), Value::integer(1)));
}
Value is_divisible(Session& session, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("divisibleby", arguments, {"num"}, 1);
  return Value::boolean(!has_remainder(session, value, bound.value(0)));
}

using Order = bool (*)(Session&, const Value&, const Value&);
template <Order order>
Value compared(Session& session, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("test", arguments, {"other"}, 1);
  return Value::boolean(order(session, value, bound.value(0)));
}
bool not_equal(Session& session, const Value& left, const Value& right) {
  return !equal(session, left, right);
}
bool greater(Session& session, const Value& left, const Value& right) {
  return less(session, right, left);
}
bool less_or_equal(Session& session, const Value& left, const Value& right) {
  return less(session, left, right) || equal(session, left, right);
}
bool greater_or_equal(Session& session, const Value& left, const Value& right) {
  return less(session, right, left) || equal(session, left, right);
}
bool is_in(Session& session, const Value& item, const Value& container) {
  return contains(session, container, item);
}
/// Python's `is`, for the values of which there is one each.
bool same(Session&, const Value& left, const Value& right) {
  if (is_boolean(left) && is_boolean(right)) return is_true(left) == is_true(right);
  const bool single = left.is_none() || right.is_none() || is_boolean(left) || is_boolean(right);
  if (!single) throw std::invalid_argument("sameas: only none, true and false are supported");
  return left.is_none() && right.is_none();
}

/// All of a text's characters fit, and there is at least one.
template <bool (*fits)(char32_t)>
Value all_characters(Session& session, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("text method", arguments, {});
  const std::string& text = *value.text_or_null();
  session.step(text.size() / 16);
  for (const std::string_view character : characters(text))
    if (!fits(code_point(character))) return Value::boolean(false);
  return Value::boolean(!text.empty());
}
bool is_alphanumeric(char32_t c) {
  return is_letter(c) || is_digit(c) || is_other_number(c);
}
bool is_any_digit(char32_t c) {
  if (is_other_number(c))
    throw std::invalid_argument("isdigit: superscripts and other numbers besides decimal digits are not supported");
  return is_digit(c);
}
bool is_space(char32_t c) {
  std::string character;
  append_character(character, c);
  return is_white_space(character);
}
bool is_ascii(char32_t c) {  // str.isascii() of "" is true; no template asks
  return c < 0x80;
}

/// str.isupper() and islower(): a cased character, and none of the other case.
bool has_case(const std::string& text, bool (*wanted)(char32_t), bool (*other)(char32_t)) {
  bool found = false;
  for (const std::string_view character : characters(text)) {
    if (other(code_point(character))) return false;
    found = found || wanted(code_point(character));
  }
  return found;
}
Value is_upper_text(Session& session, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("upper", arguments, {});
  return Value::boolean(has_case(text_of(session, value), is_upper, is_lower));
}
Value is_lower_text(Session& session, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("lower", arguments, {});
  return Value::boolean(has_case(text_of(session, value), is_lower, is_upper));
}

}  // namespace

BuiltIn find_test(std::string_view name) {
  static const std::vector<NamedBuiltIn> table = {{"boolean", simple<is_boolean>},
                                                  {"callable", simple<is_callable>},
                                                  {"defined", simple<is_defined>},
                                                  {"divisibleby", is_divisible},
                                                  {"eq", compared<equal>},
                                                  {"==", compared<equal>},
                                                  {"equalto", compared<equal>},
                                                  {"even", is_even},
                                                  {"false", simple<is_false>},
                                                  {"float", simple<is_float>},
                                                  {"ge", compared<greater_or_equal>},
                                                  {">=", compared<greater_or_equal>},
                                                  {"greaterthan", compared<greater>},
                                                  {"gt", compared<greater>},
                                                  {">", compared<greater>},
                                                  {"in", compared<is_in>},
                                                  {"integer", simple<is_integer>},
                                                  {"iterable", simple<is_iterable>},
                                                  {"le", compared<less_or_equal>},
                                                  {"<=", compared<less_or_equal>},
                                                  {"lessthan", compared<less>},
                                                  {"lower", is_lower_text},
                                                  {"lt", compared<less>},
                                                  {"<", compared<less>},
                                                  {"mapping", simple<is_mapping>},
                                                  {"ne", compared<not_equal>},
                                                  {"!=", compared<not_equal>},
                                                  {"none", simple<is_none>},
                                                  {"number", simple<is_number>},
                                                  {"odd", is_odd},
                                                  {"sameas", compared<same>},
                                                  {"sequence", simple<is_sequence>},
                                                  {"string", simple<is_string>},
                                                  {"true", simple<is_true>},
                                                  {"undefined", simple<is_undefined>},
                                                  {"upper", is_upper_text}};
  for (const NamedBuiltIn& entry : table)
    if (entry.name == name) return entry.function;
  return nullptr;
}

const std::vector<NamedBuiltIn>& text_predicates() {
  static const std::vector<NamedBuiltIn> table = {
      {"isalnum", all_characters<is_alphanumeric>}, {"isalpha", all_characters<is_letter>},
      {"isascii", all_characters<is_ascii>},        {"isdecimal", all_characters<is_digit>},
      {"isdigit", all_characters<is_any_digit>},    {"islower", is_lower_text},
      {"isspace", all_characters<is_space>},        {"isupper", is_upper_text}};
  return table;
}

}  // namespace retort::jinja
