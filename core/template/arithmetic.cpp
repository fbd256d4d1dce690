// See arithmetic.h.
#include "template/arithmetic.h"

#include <cmath>
#include <stdexcept>

#include "template/functions.h"
#include "template/value_text.h"

namespace retort::jinja {
namespace {

using Operator = Binary::Operator;

[[noreturn]] void refuse_types(Operator operation, const Value& left, const Value& right) {
  static constexpr const char* symbols[] = {"+", "-", "*", "/", "//", "%", "**"};
  throw std::invalid_argument(std::string("unsupported operand types for ") + symbols[static_cast<int>(operation)] +
                              ": '" + type_name(left) + "' and '" + type_name(right) + "'");
}
[[noreturn]] void refuse_overflow() {
  throw std::invalid_argument("expected an integer of 64 bits, found a result beyond");
}
[[noreturn]] void refuse_zero() {
  throw std::invalid_argument("division by zero");
}

Value integer_power(std::int64_t base, std::int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) refuse_zero();
    return Value::floating(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  std::int64_t result = 1;
  if (base == 0 || base == 1) return Value::integer(exponent == 0 ? 1 : base);
  if (base == -1) return Value::integer(exponent % 2 == 0 ? 1 : -1);
  for (std::int64_t i = 0; i < exponent; ++i)
    if (__builtin_mul_overflow(result, base, &result)) refuse_overflow();
  return Value::integer(result);
}

Value integer_arithmetic(Operator operation, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  switch (operation) {
    case Operator::add:
      if (__builtin_add_overflow(a, b, &result)) refuse_overflow();
      return Value::integer(result);
    case Operator::subtract:
      if (__builtin_sub_overflow(a, b, &result)) refuse_overflow();
      return Value::integer(result);
    case Operator::multiply:
      if (__builtin_mul_overflow(a, b, &result)) refuse_overflow();
      return Value::integer(result);
    case Operator::divide:
      if (b == 0) refuse_zero();
      return Value::floating(static_cast<double>(a) / static_cast<double>(b));
    case Operator::floor_divide:
      if (b == 0) refuse_zero();
      if (a == INT64_MIN && b == -1) refuse_overflow();
      return Value::integer(a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0));
    case Operator::modulo:
      if (b == 0) refuse_zero();
      if (b == -1) return Value::integer(0);
      result = a % b;
      return Value::integer(result != 0 && (result < 0) != (b < 0) ? result + b : result);
    case Operator::power:
      return integer_power(a, b);
  }
  return {};
}

/// float.__floordiv__ of CPython: from the exact remainder, so that rounding does not show.
double floor_quotient(double a, double b) {
  const double remainder = std::fmod(a, b);
  double quotient = (a - remainder) / b;
  if (remainder != 0 && (b < 0) != (remainder < 0)) quotient -= 1;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double floor = std::floor(quotient);
  return quotient - floor > 0.5 ? floor + 1 : floor;
}

/// float.__mod__: the sign of the divisor.
double floor_modulo(double a, double b) {
  const double result = std::fmod(a, b);
  if (result == 0) return std::copysign(0.0, b);
  return (result < 0) != (b < 0) ? result + b : result;
}

Value float_arithmetic(Operator operation, double a, double b) {
  const bool divides =
      operation == Operator::divide || operation == Operator::floor_divide || operation == Operator::modulo;
  if (divides && b == 0) refuse_zero();
  switch (operation) {
    case Operator::add:
      return Value::floating(a + b);
    case Operator::subtract:
      return Value::floating(a - b);
    case Operator::multiply:
      return Value::floating(a * b);
    case Operator::divide:
      return Value::floating(a / b);
    case Operator::floor_divide:
      return Value::floating(floor_quotient(a, b));
    case Operator::modulo:
      return Value::floating(floor_modulo(a, b));
    case Operator::power:
      if (a == 0 && b < 0) refuse_zero();
      if (a < 0 && b != std::floor(b)) throw std::invalid_argument("a root of a negative number is not real");
      return Value::floating(std::pow(a, b));
  }
  return {};
}

Value repeated(Session& session, const Value& value, std::int64_t count) {
  const auto times = static_cast<std::size_t>(count > 0 ? count : 0);
  if (const std::string* text = value.text_or_null()) {
    if (text->empty() || times == 0) return session.text_like(value, "");
    session.produce(times > session.limits().bytes / text->size() ? SIZE_MAX : times * text->size());
    std::string result;
    for (std::size_t i = 0; i < times; ++i) result += *text;
    return value.is_markup() ? Value::markup(std::move(result)) : Value::text(std::move(result));
  }
  const Sequence& sequence = *value.sequence_or_null();
  if (sequence.items.empty() || times == 0) return session.list({}, sequence.kind);
  const std::size_t bytes = sequence.items.size() * sizeof(Value);
  session.produce(times > session.limits().bytes / bytes ? SIZE_MAX : times * bytes);
  std::vector<Value> items;
  for (std::size_t i = 0; i < times; ++i) items.insert(items.end(), sequence.items.begin(), sequence.items.end());
  return make_sequence(sequence.kind, std::move(items));
}

bool is_list_or_tuple(const Value& value) {
  const Sequence* sequence = value.sequence_or_null();
  return sequence != nullptr && (sequence->kind == Sequence::Kind::list || sequence->kind == Sequence::Kind::tuple);
}

Value sum(Session& session, const Value& left, const Value& right) {
  const std::string* a = left.text_or_null();
  const std::string* b = right.text_or_null();
  if (a != nullptr && b != nullptr) {
    if (!left.is_markup() && !right.is_markup()) return session.text(*a + *b);
    return session.markup(added_text(right, left) + added_text(left, right));
  }
  if (session.javascript() && (a != nullptr || b != nullptr))
    return session.text(text_of(session, left) + text_of(session, right));
  if (!is_list_or_tuple(left) || !is_list_or_tuple(right) ||
      left.sequence_or_null()->kind != right.sequence_or_null()->kind)
    refuse_types(Operator::add, left, right);
  std::vector<Value> items = left.sequence_or_null()->items;
  const std::vector<Value>& more = right.sequence_or_null()->items;
  session.produce(items.size() * sizeof(Value));
  items.insert(items.end(), more.begin(), more.end());
  return session.list(std::move(items), left.sequence_or_null()->kind);
}

}  // namespace

Value arithmetic(Session& session, Operator operation, const Value& left, const Value& right) {
  if (left.is_undefined()) refuse_undefined(left);
  if (right.is_undefined()) refuse_undefined(right);
  if (left.is_integral() && right.is_integral())
    return integer_arithmetic(operation, left.as_integer(), right.as_integer());
  if (left.is_number() && right.is_number()) return float_arithmetic(operation, left.as_double(), right.as_double());
  if (operation == Operator::add) return sum(session, left, right);
  const auto repeatable = [](const Value& value) { return value.text_or_null() != nullptr || is_list_or_tuple(value); };
  if (operation == Operator::multiply && repeatable(left) && right.is_integral())
    return repeated(session, left, right.as_integer());
  if (operation == Operator::multiply && left.is_integral() && repeatable(right))
    return repeated(session, right, left.as_integer());
  if (operation == Operator::modulo && left.text_or_null() != nullptr)
    throw std::invalid_argument("formatting with % is not supported; join texts with ~");
  refuse_types(operation, left, right);
}

Value negative(const Value& operand) {
  if (const double* number = operand.get<double>()) return Value::floating(-*number);
  if (operand.is_undefined()) refuse_undefined(operand);
  if (!operand.is_integral())
    throw std::invalid_argument("unsupported operand type for unary -: '" + type_name(operand) + "'");
  return integer_arithmetic(Operator::subtract, 0, operand.as_integer());
}

Value positive(const Value& operand) {
  if (operand.get<double>() != nullptr) return operand;
  if (operand.is_undefined()) refuse_undefined(operand);
  if (!operand.is_integral())
    throw std::invalid_argument("unsupported operand type for unary +: '" + type_name(operand) + "'");
  return Value::integer(operand.as_integer());
}

}  // namespace retort::jinja
