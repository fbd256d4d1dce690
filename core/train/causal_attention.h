// Causal attention of short sequences in one operation each way. LibTorch's own calls a matrix product for every tile
// of every head, which at some fifty tokens costs more than all other layers of a small model together.
// Internal to core/train. On the CPU and in f32, whatever the inputs' type; elsewhere the composed form, which is also
// the reference.
#pragma once

#include "train/libtorch.h"

namespace retort::train {

/// softmax(q·kᵀ / √head_dim, over the positions up to the query's own, the last `window` of them where that is not 0)·v
/// (Vaswani et al., arXiv 1706.03762, eq. 1),
/// with grouped-query attention (arXiv 2305.13245): query head h reads kv head h / (H/K). q [B,T,H,head_dim]; k, v
/// [B,T,K,head_dim], K a divisor of H → [B,T,H·head_dim], f32. The result does not depend on the number of threads.
/// A window shorter than T takes the composed form. `both_ways` [B] int64, may be undefined: the first so many
/// positions of a sequence see each other all; not with a window.
torch::Tensor causal_attention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                               std::int64_t window = 0, const torch::Tensor& both_ways = {});
torch::Tensor ref_causal_attention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                                   std::int64_t window = 0, const torch::Tensor& both_ways = {});

}  // namespace retort::train
