// Plain loops, compiled once for each width of vector registers.
#include "vector_kernels.h"

// One build serves every x86-64: the loader picks the widest clone that the CPU runs. Sanitizers do not support the
// resolvers that this needs.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define RETORT_VECTOR_KERNEL __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define RETORT_VECTOR_KERNEL
#endif

namespace retort::compression {

RETORT_VECTOR_KERNEL double dot(const double* a, const double* b, std::size_t size) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::size_t i = 0; i < size; ++i) sum += a[i] * b[i];
  return sum;
}

RETORT_VECTOR_KERNEL float dot(const float* a, const float* b, std::size_t size) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::size_t i = 0; i < size; ++i) sum += a[i] * b[i];
  return sum;
}

RETORT_VECTOR_KERNEL void add_dots(const double* const rows[4], const double* x, std::size_t size, double sums[4]) {
  const double *a = rows[0], *b = rows[1], *c = rows[2], *d = rows[3];
  double sum_a = 0, sum_b = 0, sum_c = 0, sum_d = 0;
#pragma omp simd reduction(+ : sum_a, sum_b, sum_c, sum_d)
  for (std::size_t i = 0; i < size; ++i) {
    sum_a += a[i] * x[i];
    sum_b += b[i] * x[i];
    sum_c += c[i] * x[i];
    sum_d += d[i] * x[i];
  }
  sums[0] += sum_a;
  sums[1] += sum_b;
  sums[2] += sum_c;
  sums[3] += sum_d;
}

RETORT_VECTOR_KERNEL void add_scaled(float factor, const float* x, float* y, std::size_t size) {
#pragma omp simd
  for (std::size_t i = 0; i < size; ++i) y[i] += factor * x[i];
}

RETORT_VECTOR_KERNEL void add_scaled(double factor, const double* x, double* y, std::size_t size) {
#pragma omp simd
  for (std::size_t i = 0; i < size; ++i) y[i] += factor * x[i];
}

RETORT_VECTOR_KERNEL void add_scaled(const float factors[4], const float* const rows[4], float* y, std::size_t size) {
  const float *a = rows[0], *b = rows[1], *c = rows[2], *d = rows[3];
  const float fa = factors[0], fb = factors[1], fc = factors[2], fd = factors[3];
#pragma omp simd
  for (std::size_t i = 0; i < size; ++i) y[i] += (fa * a[i] + fb * b[i]) + (fc * c[i] + fd * d[i]);
}

}  // namespace retort::compression
