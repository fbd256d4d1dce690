// See log_probabilities.h.
#include "runtime/kernels/log_probabilities.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace retort::runtime {

LogProbabilities log_probabilities(std::span<const float> logits, TokenId chosen, std::int64_t top) {
  constexpr float impossible = -std::numeric_limits<float>::infinity();
  const auto logit = [&logits](TokenId token) {
    const float value = logits[static_cast<std::size_t>(token)];
    return std::isnan(value) ? impossible : value;
  };
  std::vector<TokenId> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const auto count =
      static_cast<std::size_t>(std::clamp<std::int64_t>(top, 1, static_cast<std::int64_t>(order.size())));
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                    [&logit](TokenId a, TokenId b) { return logit(a) > logit(b) || (logit(a) == logit(b) && a < b); });
  const double maximum = logit(order.front());
  double sum = 0;
  for (TokenId token = 0; token < static_cast<TokenId>(logits.size()); ++token)
    sum += std::exp(double{logit(token)} - maximum);
  const double total = maximum + std::log(sum);
  LogProbabilities result{{chosen, double{logit(chosen)} - total}, {}};
  if (top <= 0) return result;
  for (std::size_t i = 0; i < count; ++i) result.top.push_back({order[i], double{logit(order[i])} - total});
  return result;
}

}  // namespace retort::runtime
