// See rope_table.h.
#include "runtime/kernels/rope_table.h"

#include <cmath>

namespace retort::runtime {

RopeTable::RopeTable(std::int64_t positions, const std::vector<double>& frequencies, double factor)
    : half_(static_cast<std::int64_t>(frequencies.size())), cosine_(positions * half_), sine_(positions * half_) {
  for (std::int64_t i = 0; i < half_; ++i) {
    const double frequency = frequencies[static_cast<std::size_t>(i)];
    for (std::int64_t position = 0; position < positions; ++position) {
      const double angle = static_cast<double>(position) * frequency;
      cosine_.data()[position * half_ + i] = static_cast<float>(factor * std::cos(angle));
      sine_.data()[position * half_ + i] = static_cast<float>(factor * std::sin(angle));
    }
  }
}

}  // namespace retort::runtime
