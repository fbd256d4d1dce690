#include "tvd.h"

#include <cmath>

namespace retort::distill {

double total_variation(LogProbs log_p, LogProbs log_q, std::span<double> by_log_q) {
  double value = 0;
  for (std::size_t i = 0; i < log_p.size(); ++i) {
    const double q = std::exp(log_q[i]), gap = q - std::exp(log_p[i]);
    value += std::abs(gap) / 2;
    if (!by_log_q.empty()) by_log_q[i] = gap == 0 ? 0 : std::copysign(q / 2, gap);
  }
  return value;
}

}  // namespace retort::distill
