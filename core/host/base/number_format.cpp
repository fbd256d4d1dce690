#include "host/base/number_format.h"

#include <cmath>
#include <cstdio>

namespace retort::host {
namespace {

constexpr const char* unknown = "–";

std::string printed(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

/// Three significant digits.
std::string three_digits(double value) {
  return printed(std::abs(value) >= 99.95 ? "%.0f" : std::abs(value) >= 9.995 ? "%.1f" : "%.2f", value);
}

std::string scaled(double value, const char* const (&units)[5], double step) {
  std::size_t unit = 0;
  while (unit + 1 < 5 && std::abs(value) >= step * 0.9995) {
    value /= step;
    ++unit;
  }
  return (unit == 0 ? printed("%.0f", value) : three_digits(value)) + units[unit];
}

}  // namespace

std::string format_count(const Json& value) {
  return value.is_number() ? scaled(value.get<double>(), {"", "k", "M", "G", "T"}, 1000) : unknown;
}

std::string format_bytes(const Json& value) {
  return value.is_number() ? scaled(value.get<double>(), {" B", " kB", " MB", " GB", " TB"}, 1000) : unknown;
}

std::string format_percent(const Json& value) {
  return value.is_number() ? printed("%.1f%%", value.get<double>() * 100) : unknown;
}

std::string format_ms(const Json& value) {
  return value.is_number() ? three_digits(value.get<double>()) + " ms" : unknown;
}

std::string format_ratio(const Json& value) {
  if (!value.is_number()) return unknown;
  return printed(value.get<double>() >= 9.95    ? "%.0f×"
                 : value.get<double>() >= 0.995 ? "%.1f×"
                                                : "%.2f×",
                 value.get<double>());
}

std::string format_number(double value) {
  return std::isfinite(value) ? printed("%.4g", value) : unknown;
}

}  // namespace retort::host
