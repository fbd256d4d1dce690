// See number.h.
#include "schema/number.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace retort::schema {
namespace {

__extension__ typedef __int128 Wide;  // holds any 64-bit integer, signed or not, and products of such

Wide integer_of(const Json& value) {
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  if (value.is_number_integer()) return value.get<std::int64_t>();
  return static_cast<Wide>(value.get<double>());
}

/// Integers that a 128-bit number holds, however they are spelled.
bool is_small_integer(const Json& value) {
  return is_integer(value) && std::abs(value.get<double>()) < 1e37;
}

Wide mantissa_of(const std::string& digits) {
  Wide value = 0;
  for (const char digit : digits) value = value * 10 + (digit - '0');
  return value;
}

}  // namespace

bool is_integer(const Json& value) {
  if (value.is_number_integer()) return true;
  if (!value.is_number_float()) return false;
  const double number = value.get<double>();
  return std::isfinite(number) && std::trunc(number) == number;
}

int compare_numbers(const Json& a, const Json& b) {
  if (is_small_integer(a) && is_small_integer(b)) {
    const Wide left = integer_of(a), right = integer_of(b);
    return left < right ? -1 : left > right ? 1 : 0;
  }
  const double left = a.get<double>(), right = b.get<double>();
  return left < right ? -1 : left > right ? 1 : 0;
}

Decimal decimal_of(const Json& number) {
  std::array<char, 64> text{};
  Decimal decimal;
  char* end = nullptr;
  if (number.is_number_unsigned())
    end = std::to_chars(text.data(), text.data() + text.size(), number.get<std::uint64_t>()).ptr;
  else if (number.is_number_integer())
    end = std::to_chars(text.data(), text.data() + text.size(), number.get<std::int64_t>()).ptr;
  else
    end =
        std::to_chars(text.data(), text.data() + text.size(), number.get<double>(), std::chars_format::scientific).ptr;
  bool fraction = false;
  for (const char* at = text.data(); at != end; ++at) {
    if (*at == '-') decimal.negative = true;
    if (*at == '.') fraction = true;
    if (*at >= '0' && *at <= '9') {
      decimal.digits += *at;
      decimal.exponent -= fraction ? 1 : 0;
    }
    if (*at != 'e') continue;
    std::int64_t power = 0;
    const char* begin = at + 1 + (at[1] == '+' ? 1 : 0);
    std::from_chars(begin, end, power);
    decimal.exponent += power;
    break;
  }
  const std::size_t first = std::min(decimal.digits.find_first_not_of('0'), decimal.digits.size() - 1);
  decimal.digits.erase(0, first);
  while (decimal.exponent < 0 && decimal.digits.size() > 1 && decimal.digits.back() == '0') {
    decimal.digits.pop_back();
    ++decimal.exponent;
  }
  if (decimal.digits == "0") decimal = {false, "0", 0};
  return decimal;
}

bool is_multiple(const Json& value, const Json& of) {
  if (is_small_integer(value) && is_small_integer(of)) return integer_of(value) % integer_of(of) == 0;
  Decimal number = decimal_of(value), unit = decimal_of(of);
  constexpr std::size_t most_digits = 36;
  const std::int64_t common = std::min(number.exponent, unit.exponent);
  for (Decimal* one : {&number, &unit}) {
    const auto zeros = one->exponent - common;
    if (one->digits != "0" && one->digits.size() + static_cast<std::size_t>(zeros) > most_digits)
      return std::fmod(value.get<double>(), of.get<double>()) == 0;
    if (one->digits != "0") one->digits.append(static_cast<std::size_t>(zeros), '0');
  }
  return mantissa_of(number.digits) % mantissa_of(unit.digits) == 0;
}

bool equal_values(const Json& a, const Json& b) {
  if (a.is_number() && b.is_number()) return compare_numbers(a, b) == 0;
  if (a.type() != b.type()) return false;
  if (!a.is_structured()) return a == b;
  if (a.size() != b.size()) return false;
  if (a.is_array()) return std::equal(a.begin(), a.end(), b.begin(), equal_values);
  for (const auto& item : a.items()) {
    const auto found = b.find(item.key());
    if (found == b.end() || !equal_values(item.value(), *found)) return false;
  }
  return true;
}

}  // namespace retort::schema
