// Sums run in f32 lanes over blocks and in f64 across blocks, so that a vocabulary of 100,000 keeps seven digits.
#include "row_kernels.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

// One build serves every x86-64: the loader picks the widest clone that the CPU runs. Sanitizers do not support the
// resolvers that this needs.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define RETORT_ROW_KERNEL __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define RETORT_ROW_KERNEL
#endif

namespace retort::distill {

namespace {

constexpr std::size_t block = 512;
constexpr float smallest_exponent = -87.0f;  // e^-87 is the last power of e that is a normal float
// Stands for -infinity where it would be multiplied by zero.
constexpr float lowest_logit = -1e30f;

/// e^x for x ≤ 0: x = n·log 2 + r, and Cephes' polynomial of degree 6 (expf.c) for e^r. The standard library's expf
/// does not vectorise without -ffast-math.
[[gnu::always_inline]] inline float exp_nonpositive(float x) {
  constexpr float log2_e = 1.44269504088896341f;
  constexpr float log_2_high = 0.693359375f, log_2_low = -2.12194440e-4f;
  constexpr float round_shift = 12582912.0f;  // 1.5·2^23: adding it rounds to an integer in the low mantissa bits
  const float clamped = x < smallest_exponent ? smallest_exponent : x;
  const float shifted = clamped * log2_e + round_shift;
  const float n = shifted - round_shift;
  const float r = (clamped - n * log_2_high) - n * log_2_low;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const float power_of_r = (p * r) * r + r + 1.0f;
  const std::uint32_t exponent = std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(round_shift);
  // A mask in place of a branch, which would keep the loops around this from being vectorised.
  const std::uint32_t in_range = 0u - static_cast<std::uint32_t>(x >= smallest_exponent);
  return power_of_r * std::bit_cast<float>(((exponent + 127u) << 23) & in_range);
}

}  // namespace

RETORT_ROW_KERNEL float maximum(std::span<const float> z) {
  const float* data = z.data();
  float largest = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : largest)
  for (std::size_t i = 0; i < z.size(); ++i) largest = data[i] > largest ? data[i] : largest;
  return largest;
}

RETORT_ROW_KERNEL double exponentials(std::span<const float> z, float maximum, float inverse_temperature, float* out) {
  const float* data = z.data();
  double total = 0;
  for (std::size_t begin = 0; begin < z.size(); begin += block) {
    const std::size_t end = std::min(begin + block, z.size());
    float part = 0;
#pragma omp simd reduction(+ : part)
    for (std::size_t i = begin; i < end; ++i) {
      const float e = exp_nonpositive((data[i] - maximum) * inverse_temperature);
      out[i] = e;
      part += e;
    }
    total += static_cast<double>(part);
  }
  return total;
}

RETORT_ROW_KERNEL double sum(std::span<const float> values) {
  const float* data = values.data();
  double total = 0;
  for (std::size_t begin = 0; begin < values.size(); begin += block) {
    const std::size_t end = std::min(begin + block, values.size());
    float part = 0;
#pragma omp simd reduction(+ : part)
    for (std::size_t i = begin; i < end; ++i) part += data[i];
    total += static_cast<double>(part);
  }
  return total;
}

RETORT_ROW_KERNEL TeacherSums teacher_sums(std::span<const float> numerators, const float* teacher,
                                           float teacher_maximum, const float* student, float student_maximum,
                                           float inverse_temperature) {
  const float* e = numerators.data();
  TeacherSums total;
  for (std::size_t begin = 0; begin < numerators.size(); begin += block) {
    const std::size_t end = std::min(begin + block, numerators.size());
    float difference = 0, own = 0;
#pragma omp simd reduction(+ : difference, own)
    for (std::size_t i = begin; i < end; ++i) {
      const float a_raw = (teacher[i] - teacher_maximum) * inverse_temperature;
      const float b_raw = (student[i] - student_maximum) * inverse_temperature;
      const float a = a_raw < lowest_logit ? lowest_logit : a_raw;
      const float b = b_raw < lowest_logit ? lowest_logit : b_raw;
      difference += e[i] * (a - b);
      own += e[i] * a;
    }
    total.difference += static_cast<double>(difference);
    total.own += static_cast<double>(own);
  }
  return total;
}

RETORT_ROW_KERNEL void multiply(std::span<float> values, float scale) {
  float* data = values.data();
#pragma omp simd
  for (std::size_t i = 0; i < values.size(); ++i) data[i] *= scale;
}

RETORT_ROW_KERNEL void combine(std::span<float> target, float target_scale, const float* source, float source_scale) {
  float* data = target.data();
#pragma omp simd
  for (std::size_t i = 0; i < target.size(); ++i) data[i] = data[i] * target_scale + source[i] * source_scale;
}

}  // namespace retort::distill
