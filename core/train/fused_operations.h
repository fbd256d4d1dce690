// RMSNorm, rotary position embedding and SwiGLU as one pass over memory each way, with their derivatives. Composed of
// LibTorch operations they take as long as the matrix products of a model of a few million parameters.
// Internal to core/train. On the CPU; other devices take the composed form, which is also the reference.
#pragma once

#include "train/libtorch.h"

namespace retort::train {

/// y = x / sqrt(mean(x²) + epsilon) · weight over the last dimension (Zhang and Sennrich, arXiv 1910.07467, eq. 4).
/// x […,D], weight [D]. Fused in f32.
torch::Tensor rms_norm(const torch::Tensor& x, const torch::Tensor& weight, double epsilon);
torch::Tensor ref_rms_norm(const torch::Tensor& x, const torch::Tensor& weight, double epsilon);

/// Rotary position embedding (arXiv 2104.09864) in Hugging Face's half-rotation layout: x·cosine + rotate_half(x)·sine.
/// x [B,T,heads,head_dim]; cosine, sine [T,head_dim], both halves equal. In f32 whatever x is.
torch::Tensor rotate(const torch::Tensor& x, const torch::Tensor& cosine, const torch::Tensor& sine);
torch::Tensor ref_rotate(const torch::Tensor& x, const torch::Tensor& cosine, const torch::Tensor& sine);

/// silu(gate) · up (Shazeer, arXiv 2002.05202). Both of one shape. Fused in f32 and bf16.
torch::Tensor swiglu(const torch::Tensor& gate, const torch::Tensor& up);
torch::Tensor ref_swiglu(const torch::Tensor& gate, const torch::Tensor& up);

}  // namespace retort::train
