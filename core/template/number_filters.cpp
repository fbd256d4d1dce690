// Filters on numbers: int, float, abs, round.
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <stdexcept>

#include "template/arguments.h"
#include "template/arithmetic.h"
#include "template/functions.h"
#include "template/unicode.h"

namespace retort::jinja {
namespace {

/// A number as Python's int() and float() read it: white space around it, a sign, underscores between digits.
std::optional<std::string> plain_number(std::string_view text) {
  text = strip(text, Side::both);
  std::string plain;
  const auto is_digit = [&](std::size_t i) { return i < text.size() && text[i] >= '0' && text[i] <= '9'; };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '_' && i > 0 && is_digit(i - 1) && is_digit(i + 1)) continue;
    plain += text[i];
  }
  if (plain.starts_with('+')) {
    plain.erase(0, 1);
    if (plain.starts_with('-') || plain.starts_with('+')) return std::nullopt;
  }
  return plain;
}

std::optional<std::int64_t> read_integer(const std::string& text) {
  const auto plain = plain_number(text);
  if (!plain || plain->empty()) return std::nullopt;
  std::int64_t value = 0;
  const char* end = plain->data() + plain->size();
  const auto result = std::from_chars(plain->data(), end, value);
  if (result.ec == std::errc::result_out_of_range)
    throw std::invalid_argument("int: expected an integer of 64 bits, found " + *plain);
  return result.ptr == end && result.ec == std::errc() ? std::optional(value) : std::nullopt;
}

std::optional<double> read_float(const std::string& text) {
  const auto plain = plain_number(text);
  if (!plain || plain->empty() || plain->find_first_of("()xX") != std::string::npos) return std::nullopt;
  double value = 0;
  const char* end = plain->data() + plain->size();
  const auto result = std::from_chars(plain->data(), end, value);
  if (result.ptr != end) return std::nullopt;
  if (result.ec == std::errc::result_out_of_range) return std::strtod(plain->c_str(), nullptr);
  return result.ec == std::errc() ? std::optional(value) : std::nullopt;
}

std::optional<Value> truncated(double value) {
  if (!std::isfinite(value)) return std::nullopt;
  if (std::abs(value) >= 9.2e18)
    throw std::invalid_argument("int: expected an integer of 64 bits, found a result beyond");
  return Value::integer(static_cast<std::int64_t>(value));
}

Value integer(Session&, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("int", arguments, {"default", "base"});
  if (bound.integer(1, 10) != 10) throw std::invalid_argument("int: other bases than ten are not supported");
  Value fallback = bound.find(0) == nullptr ? Value::integer(0) : bound.value(0);
  if (value.is_undefined()) refuse_undefined(value);
  if (value.is_integral()) return Value::integer(value.as_integer());
  if (const double* number = value.get<double>()) {
    if (std::isinf(*number)) throw std::invalid_argument("int: infinity is no integer");
    return truncated(*number).value_or(fallback);
  }
  const std::string* text = value.text_or_null();
  if (text == nullptr) return fallback;
  if (const auto number = read_integer(*text)) return Value::integer(*number);
  const auto number = read_float(*text);
  return number ? truncated(*number).value_or(fallback) : fallback;
}

Value floating(Session&, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("float", arguments, {"default"});
  const Value fallback = bound.find(0) == nullptr ? Value::floating(0) : bound.value(0);
  if (value.is_undefined()) refuse_undefined(value);
  if (value.is_number()) return Value::floating(value.as_double());
  const std::string* text = value.text_or_null();
  const auto number = text == nullptr ? std::nullopt : read_float(*text);
  return number ? Value::floating(*number) : fallback;
}

Value absolute(Session&, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("abs", arguments, {});
  if (value.is_undefined()) refuse_undefined(value);
  if (!value.is_number()) throw std::invalid_argument("abs: expected a number, found a " + type_name(value));
  if (const double* number = value.get<double>()) return Value::floating(std::fabs(*number));
  return value.as_integer() < 0 ? negative(value) : positive(value);
}

/// float.__round__: half to even of the exact binary value, which is what printf rounds too.
double rounded(double value, int precision) {
  std::array<char, 400> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.*f", precision, value);
  return std::strtod(buffer.data(), nullptr);
}

Value round(Session&, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("round", arguments, {"precision", "method"});
  const std::int64_t precision = bound.integer(0, 0);
  const std::string method = bound.text(1, "common");
  if (value.is_undefined()) refuse_undefined(value);
  if (!value.is_number()) throw std::invalid_argument("round: expected a number, found a " + type_name(value));
  if (precision < 0 || precision > 20) throw std::invalid_argument("round: expected a precision of 0 to 20");
  const double number = value.as_double();
  if (method == "common") {
    if (value.is_integral()) return Value::integer(value.as_integer());
    return Value::floating(std::isfinite(number) ? rounded(number, static_cast<int>(precision)) : number);
  }
  if (method != "ceil" && method != "floor")
    throw std::invalid_argument("round: expected the method common, ceil or floor");
  const double scale = std::pow(10.0, static_cast<double>(precision));
  return Value::floating((method == "ceil" ? std::ceil(number * scale) : std::floor(number * scale)) / scale);
}

}  // namespace

const std::vector<NamedBuiltIn>& number_filters() {
  static const std::vector<NamedBuiltIn> table = {
      {"abs", absolute}, {"float", floating}, {"int", integer}, {"round", round}};
  return table;
}

}  // namespace retort::jinja
