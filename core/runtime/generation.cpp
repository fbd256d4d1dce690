// Greedy generation with the decoder of decoder.h. No sampling, no beams: a call has one right answer.
#include <algorithm>
#include <chrono>
#include <stdexcept>

#include "runtime/decoder.h"
#include "runtime/vector_kernels.h"

namespace retort::runtime {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

TokenId best_token(std::span<const float> logits) {
  const std::int64_t best = argmax(logits.data(), static_cast<std::int64_t>(logits.size()));
  if (best >= 0) return static_cast<TokenId>(best);
  throw std::runtime_error(
      "generate: every logit is NaN although the weights are finite: activations overflowed; the model is damaged, "
      "train or quantise it again");
}

}  // namespace

Generation generate_greedy(Decoder& decoder, std::span<const TokenId> prompt, TokenId end,
                           std::int64_t max_new_tokens) {
  Generation result;
  decoder.reset();
  Clock::time_point start = Clock::now();
  std::span<const float> logits = decoder.forward(prompt);
  result.prefill_ms = milliseconds_since(start);

  start = Clock::now();
  // The last token is never fed back, so one more fits than the cache has room for.
  const std::int64_t most = std::min(max_new_tokens, decoder.context() - decoder.position() + 1);
  result.tokens.reserve(static_cast<std::size_t>(std::max<std::int64_t>(most, 0)));
  while (static_cast<std::int64_t>(result.tokens.size()) < most) {
    const TokenId token = best_token(logits);
    result.tokens.push_back(token);
    if (token == end || static_cast<std::int64_t>(result.tokens.size()) == most) break;
    logits = decoder.forward({&result.tokens.back(), 1});
  }
  result.decode_ms = milliseconds_since(start);
  return result;
}

}  // namespace retort::runtime
