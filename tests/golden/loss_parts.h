// What tests of every loss of an interface share: variants of a loss as parameters of a test, and what must be equal.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <ostream>
#include <string>

#include "loss_calls.h"

namespace retort::golden {

inline const float unknown = std::numeric_limits<float>::quiet_NaN();

struct Variant {
  const char* name;
  const char* library;
  Parameters parameters;
};

inline void PrintTo(const Variant& variant, std::ostream* out) {
  *out << variant.name;
}

inline std::string name_of(const ::testing::TestParamInfo<Variant>& info) {
  return info.param.name;
}

/// Rows exactly, since a row does not see the others; sums up to rounding.
inline void expect_same(const Outcome& found, const Outcome& expected) {
  EXPECT_NEAR(found.loss, expected.loss, 1e-12 * (1 + std::abs(expected.loss)));
  ASSERT_EQ(found.gradients.size(), expected.gradients.size());
  for (const auto& [name, values] : expected.gradients) {
    const auto& others = found.gradients.at(name);
    ASSERT_EQ(others.size(), values.size()) << name;
    const float tolerance = name.rfind("parameter", 0) == 0 ? 1e-5F : 0.0F;
    for (std::size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(others[i], values[i], tolerance) << name << " " << i;
  }
  for (const auto& [name, value] : expected.metrics)
    EXPECT_NEAR(found.metrics.at(name), value, 1e-9 * (1 + std::abs(value))) << name;
}

inline void expect_zero(const Outcome& outcome) {
  EXPECT_EQ(outcome.loss, 0.0);
  for (const auto& [name, values] : outcome.gradients)
    for (std::size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], 0.0F) << name << " " << i;
}

template <typename Step, typename Count>
void expect_parts_to_add_up(const Step& step, const LoadedComponent& loss, Count count) {
  const Outcome whole = step.call(loss, 0, count);
  EXPECT_TRUE(std::isfinite(whole.loss));
  EXPECT_NE(whole.loss, 0);
  for (const Count size : {Count{1}, Count{4}}) {
    Outcome sum;
    for (Count first = 0; first < count; first += size) append(sum, step.call(loss, first, size));
    SCOPED_TRACE("parts of " + std::to_string(size));
    expect_same(sum, whole);
  }
}

}  // namespace retort::golden
