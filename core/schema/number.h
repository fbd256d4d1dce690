// Numbers of JSON compared as the numbers that they are: 64-bit integers exactly, others as doubles.
#pragma once

#include "schema/schema_document.h"

namespace retort::schema {

/// 1.0 is an integer too.
bool is_integer(const Json& value);
/// Negative, zero, positive as a < b, a = b, a > b.
int compare_numbers(const Json& a, const Json& b);
/// By decimal digits where both have at most 17 of them, so that 19.99 is a multiple of 0.01.
bool is_multiple(const Json& value, const Json& of);
/// JSON equality: numbers by value, objects without order.
bool equal_values(const Json& a, const Json& b);

/// A finite number as sign, decimal digits and the power of ten of the last one: 1.50 is {false, "15", -1}; 0 is "0".
struct Decimal {
  bool negative = false;
  std::string digits;  ///< without leading zeros; without trailing ones where the exponent is negative
  std::int64_t exponent = 0;
};
/// The shortest that reads back as the same double.
Decimal decimal_of(const Json& number);

}  // namespace retort::schema
