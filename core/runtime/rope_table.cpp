// See rope_table.h.
#include "runtime/rope_table.h"

#include <cmath>

namespace retort::runtime {

RopeTable::RopeTable(std::int64_t positions, std::int64_t head_dim, double theta)
    : half_(head_dim / 2), cosine_(positions * half_), sine_(positions * half_) {
  for (std::int64_t i = 0; i < half_; ++i) {
    const double frequency = std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
    for (std::int64_t position = 0; position < positions; ++position) {
      const double angle = static_cast<double>(position) * frequency;
      cosine_.data()[position * half_ + i] = static_cast<float>(std::cos(angle));
      sine_.data()[position * half_ + i] = static_cast<float>(std::sin(angle));
    }
  }
}

}  // namespace retort::runtime
