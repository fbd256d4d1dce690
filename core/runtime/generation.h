// A continuation of a prompt, token by token, with the decoder of decoder.h. No beams: a call has one right answer.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "runtime/sampling.h"

namespace retort::runtime {

struct Generation {
  std::vector<TokenId> tokens;  ///< without the prompt; ends with an end token unless cut short
  double prefill_ms = 0;
  double decode_ms = 0;
};

struct GenerationOptions {
  std::vector<TokenId> ends;  ///< any of them stops
  std::int64_t max_new_tokens = 256;
  SamplingOptions sampling;            ///< greedy by default
  std::function<bool(TokenId)> token;  ///< sees every token as it comes; false stops. May be empty
};

/// From an empty cache until an end token, `max_new_tokens` or a full cache. Throws std::invalid_argument as
/// Decoder::forward for the prompt and as Sampler, std::runtime_error when every logit is NaN.
Generation generate(Decoder& decoder, std::span<const TokenId> prompt, const GenerationOptions& options);

/// The same, greedily.
Generation generate_greedy(Decoder& decoder, std::span<const TokenId> prompt, TokenId end, std::int64_t max_new_tokens);

}  // namespace retort::runtime
