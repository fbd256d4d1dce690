// See allowed_tokens.h.
#include "runtime/generate/allowed_tokens.h"

#include <cmath>
#include <limits>

#include "runtime/kernels/exponential.h"
#include "runtime/kernels/multiversion.h"
#include "runtime/kernels/vector_kernels.h"

namespace retort::runtime {
namespace {

[[gnu::always_inline]] inline float weight_of(float logit, float largest) {
  const float shifted = logit - largest;
  return shifted >= -87.0f ? exponential(shifted) : 0.0f;
}

RETORT_MULTIVERSION
float sum_of_weights(const float* logits, std::int64_t count, float largest) {
  float sums[16] = {};
  std::int64_t i = 0;
  for (; i + 16 <= count; i += 16)
    for (std::int64_t lane = 0; lane < 16; ++lane) sums[lane] += weight_of(logits[i + lane], largest);
  float sum = 0;
  for (; i < count; ++i) sum += weight_of(logits[i], largest);
  for (const float part : sums) sum += part;
  return sum;
}

}  // namespace

double allowed_log_mass(std::span<const float> logits, const grammar::TokenMask& allowed) {
  const auto count = static_cast<std::int64_t>(logits.size());
  const std::int64_t likeliest = argmax(logits.data(), count);
  if (likeliest < 0) return -std::numeric_limits<double>::infinity();
  const float largest = logits[static_cast<std::size_t>(likeliest)];
  double mass = 0;
  for_each_allowed(allowed, logits.size(),
                   [&](std::size_t token) { mass += static_cast<double>(weight_of(logits[token], largest)); });
  const double total = static_cast<double>(sum_of_weights(logits.data(), count, largest));
  return std::log(std::min(mass / total, 1.0));
}

}  // namespace retort::runtime
