// See token_draw.h.
#include "runtime/generate/token_draw.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "runtime/kernels/exponential.h"
#include "runtime/kernels/multiversion.h"
#include "runtime/kernels/vector_kernels.h"

namespace retort::runtime {
namespace {

constexpr std::int64_t kLanes = 16;
constexpr std::int64_t kMostBlocks = 1024;

/// softmax's numerator: 1 for the largest logit (also where it is infinite), 0 for NaN and what f32 cannot hold.
[[gnu::always_inline]] inline float weight_of(float logit, float largest, float inverse_temperature) {
  const float shifted = (logit - largest) * inverse_temperature;
  const float power = shifted >= -87.0f ? exponential(shifted) : 0.0f;
  return logit == largest ? 1.0f : power;
}

RETORT_MULTIVERSION
float sum_of_weights(const float* logits, std::int64_t count, float largest, float inverse_temperature) {
  std::array<float, kLanes> sums{};
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (std::int64_t lane = 0; lane < kLanes; ++lane)
      sums[static_cast<std::size_t>(lane)] += weight_of(logits[i + lane], largest, inverse_temperature);
  float rest = 0;
  for (; i < count; ++i) rest += weight_of(logits[i], largest, inverse_temperature);
  for (std::int64_t half = kLanes / 2; half > 0; half /= 2)
    for (std::int64_t lane = 0; lane < half; ++lane)
      sums[static_cast<std::size_t>(lane)] += sums[static_cast<std::size_t>(lane + half)];
  return sums[0] + rest;
}

std::uint64_t mixed(std::uint64_t state, std::uint64_t count) {
  std::uint64_t z = state + 0x9E3779B97F4A7C15U * (count + 1);
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31U);
}

}  // namespace

double draw_number(std::uint64_t seed, std::uint64_t row, std::uint64_t t) {
  return static_cast<double>(mixed(mixed(mixed(seed, 0), row), t) >> 11U) * 0x1.0p-53;
}

DrawnToken draw_token(std::span<const float> logits, double temperature, double number) {
  const auto count = static_cast<std::int64_t>(logits.size());
  const std::int64_t likeliest = argmax(logits.data(), count);
  if (likeliest < 0) return {};
  const float largest = logits[static_cast<std::size_t>(likeliest)];
  const double scale = temperature > 0 ? 1 / temperature : 1;
  const auto inverse = static_cast<float>(std::min(scale, double{std::numeric_limits<float>::max()}));
  const std::int64_t block = std::max<std::int64_t>(256, (count + kMostBlocks - 1) / kMostBlocks);
  std::array<double, kMostBlocks> sums;
  double total = 0;
  for (std::int64_t first = 0; first < count; first += block) {
    const double sum = sum_of_weights(logits.data() + first, std::min(block, count - first), largest, inverse);
    sums[static_cast<std::size_t>(first / block)] = sum;
    total += sum;
  }
  const auto log_probability = [&](std::int64_t token) {
    const float logit = logits[static_cast<std::size_t>(token)];
    const double shifted = logit == largest ? 0.0 : (double{logit} - largest) * scale;
    return static_cast<float>(shifted - std::log(total));
  };
  if (temperature == 0) return {static_cast<TokenId>(likeliest), log_probability(likeliest)};
  double left = number * total;
  std::int64_t first = 0;
  for (; first + block < count && left >= sums[static_cast<std::size_t>(first / block)]; first += block)
    left -= sums[static_cast<std::size_t>(first / block)];
  // Rounding may leave nothing behind the last block that counts: then its last possible token.
  std::int64_t last = likeliest;
  for (std::int64_t token = first; token < count; ++token) {
    const float weight = weight_of(logits[static_cast<std::size_t>(token)], largest, inverse);
    if (weight == 0) continue;
    last = token;
    left -= double{weight};
    if (left < 0) break;
  }
  return {static_cast<TokenId>(last), log_probability(last)};
}

DrawnToken ref_draw_token(std::span<const float> logits, double temperature, double number) {
  const double scale = temperature > 0 ? 1 / temperature : 1;
  TokenId likeliest = -1;
  for (std::size_t i = 0; i < logits.size(); ++i)
    if (!std::isnan(logits[i]) && (likeliest < 0 || logits[i] > logits[static_cast<std::size_t>(likeliest)]))
      likeliest = static_cast<TokenId>(i);
  if (likeliest < 0) return {};
  const auto exponent = [&](TokenId token) {
    const double logit = logits[static_cast<std::size_t>(token)], most = logits[static_cast<std::size_t>(likeliest)];
    return logit == most ? 0.0 : (logit - most) * scale;
  };
  const auto possible = [&](TokenId token) { return !std::isnan(logits[static_cast<std::size_t>(token)]); };
  const auto count = static_cast<TokenId>(logits.size());
  double total = 0;
  for (TokenId token = 0; token < count; ++token) total += possible(token) ? std::exp(exponent(token)) : 0.0;
  TokenId chosen = likeliest;
  double sum = 0;
  for (TokenId token = 0; token < count && temperature > 0; ++token) {
    if (!possible(token)) continue;
    chosen = token;
    sum += std::exp(exponent(token)) / total;
    if (sum > number) break;
  }
  return {chosen, static_cast<float>(exponent(chosen) - std::log(total))};
}

}  // namespace retort::runtime
