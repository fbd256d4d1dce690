// sparsify.magnitude: masks worked out by hand.
#include "magnitude.h"

#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>
#include <vector>

namespace retort::golden {
namespace {

using sparsify::Pattern;
using sparsify::Scope;
using Mask = std::vector<std::uint8_t>;

Mask mask_of(const std::vector<float>& weights, std::int64_t columns, Scope scope, const Pattern& pattern = {}) {
  Mask mask(weights.size(), 9);
  sparsify::magnitude_mask(weights, columns, scope, pattern, mask);
  return mask;
}

TEST(Magnitude, RowsLoseTheSameAndAMatrixItsLeast) {
  const std::vector<float> weights{1, -2, 3, -4, 50, -80, 70, 60};
  EXPECT_EQ(mask_of(weights, 4, Scope::row), (Mask{0, 0, 1, 1, 0, 1, 1, 0}));
  EXPECT_EQ(mask_of(weights, 4, Scope::matrix), (Mask{0, 0, 0, 0, 1, 1, 1, 1}));
  EXPECT_EQ(mask_of(weights, 4, Scope::matrix, {.2, 0, 0}), (Mask{0, 1, 1, 1, 1, 1, 1, 1}));  // 1.6 rounded down
  EXPECT_EQ(mask_of(weights, 4, Scope::row, {.5, 3, 4}), (Mask{0, 1, 1, 1, 0, 1, 1, 1}));
  EXPECT_EQ(mask_of({1, 1, 1, 1}, 2, Scope::matrix), (Mask{0, 0, 1, 1}));  // of equal ones the earlier
}

TEST(Magnitude, RefusesWhatIsNotFinite) {
  const float infinity = std::numeric_limits<float>::infinity();
  try {
    mask_of({1, 2, 3, infinity}, 2, Scope::row);
    FAIL() << "an infinite weight was accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("row 1, column 1"), std::string::npos) << error.what();
  }
  EXPECT_THROW(mask_of({1, 2, 3}, 3, Scope::row, {.5, 2, 4}), std::invalid_argument);
}

}  // namespace
}  // namespace retort::golden
