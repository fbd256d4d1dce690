// Batched generation with a KV cache on LibTorch: the reference for the runtime. Internal to core/train.
#pragma once

#include <vector>

#include "text/tokenizer.h"
#include "train/decoder_module.h"

namespace retort::train {

struct ReferenceSampling {
  double temperature = 0;  ///< 0 = greedy, ties to the smaller id
  std::int64_t max_new_tokens = 64;
  text::TokenId end_token = -1;
  std::uint64_t seed = 0;         ///< of the draws; unused when greedy
  std::int64_t batch_size = 256;  ///< prompts decoded together; changes speed and memory only
};

/// One response per prompt, ending with end_token unless cut short by max_new_tokens or the model's max_positions.
std::vector<std::vector<text::TokenId>> ref_sample(DecoderModule& decoder,
                                                   const std::vector<std::vector<text::TokenId>>& prompts,
                                                   const ReferenceSampling& options);

/// Rows of equal length, padded on the right with 0: [B,T] int64.
torch::Tensor pad(const std::vector<std::vector<text::TokenId>>& rows);

}  // namespace retort::train
