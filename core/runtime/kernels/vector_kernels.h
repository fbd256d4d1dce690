// The element-wise passes between matmuls, one row at a time: RMSNorm, int8 quantisation, RoPE, SwiGLU and GeGLU,
// residual.
// Vectorised, single thread, no allocation. Slow versions of each are in reference_kernels.h.
#pragma once

#include <cstdint>

namespace retort::runtime {

/// out[i] = x[i] / sqrt(mean(x²) + epsilon) · weight[i] (Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467).
/// Returns max |out|, which quantize_row needs. `out` may be `x`.
float rms_norm(const float* x, const float* weight, std::int64_t count, float epsilon, float* out);

float max_abs(const float* x, std::int64_t count);

/// codes[i] = round-half-even(x[i] · 127 / maximum), with maximum = max |x|; returns the row scale maximum / 127.
/// A row of zeros has scale 0.
float quantize_row(const float* x, std::int64_t count, float maximum, std::int8_t* codes);

/// Codes of 15 bits, in two planes: 128 · high[i] + low[i] = round-half-even(x[i] · 16256 / maximum), low[i] in
/// [−64, 63], high[i] in [−127, 127]; returns the row scale maximum / 16256. A row of zeros has scale 0.
float quantize_row_wide(const float* x, std::int64_t count, float maximum, std::int8_t* high, std::int8_t* low);

/// The same as row_kernel.h reads it for int4: within every eight codes the even ones stand first, zeros fill the last
/// group of `group` (a multiple of 8, at most 256), and each plane's codes of a group are summed.
float quantize_groups_wide(const float* x, std::int64_t count, std::int64_t group, float maximum, std::int8_t* high,
                           std::int8_t* low, std::int32_t* high_sums, std::int32_t* low_sums);

/// out[i] = 128 · high[i] + low[i].
void join_planes(const float* high, const float* low, std::int64_t count, float* out);

/// out[i] = x[i] rounded to bf16, to nearest even.
void round_to_bfloat16(const float* x, std::int64_t count, std::uint16_t* out);

/// Rotary embedding (Su et al. 2021, https://arxiv.org/abs/2104.09864) of one head in Hugging Face's half-rotation
/// order: pairs are (i, i + d/2). `cosine` and `sine` hold d/2 values of this position. Multiplies by `scale`.
void rotate(const float* x, const float* cosine, const float* sine, std::int64_t head_dim, float scale, float* out);

/// out[i] = silu(gate[i] · scale) · up[i] · scale; returns max |out|. silu(x) = x / (1 + e^−x).
float swiglu(const float* gate, const float* up, std::int64_t count, float scale, float* out);

/// The same with gelu(x) = x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³))) in place of silu (arXiv 2002.05202, 1606.08415).
float geglu(const float* gate, const float* up, std::int64_t count, float scale, float* out);

/// target[i] += x[i] · scale.
void add_scaled(const float* x, float scale, std::int64_t count, float* target);

/// x[i] *= scale.
void scale_row(float scale, std::int64_t count, float* x);

/// The smallest index of the largest element; −1 if no element is a number.
std::int64_t argmax(const float* x, std::int64_t count);

}  // namespace retort::runtime
