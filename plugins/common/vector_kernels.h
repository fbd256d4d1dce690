// The inner loops of the factor, of compensation and of output errors. Sums keep the order of the machine's vector
// width, so that one machine always gives the same bits.
#pragma once

#include <cstddef>

namespace retort::compression {

double dot(const double* a, const double* b, std::size_t size);
float dot(const float* a, const float* b, std::size_t size);

/// sums[r] += Σ rows[r][i]·x[i] for four rows.
void add_dots(const double* const rows[4], const double* x, std::size_t size, double sums[4]);

/// y += factor·x.
void add_scaled(float factor, const float* x, float* y, std::size_t size);
void add_scaled(double factor, const double* x, double* y, std::size_t size);

/// y += Σ factors[r]·rows[r] for four rows.
void add_scaled(const float factors[4], const float* const rows[4], float* y, std::size_t size);

}  // namespace retort::compression
