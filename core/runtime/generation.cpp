// See generation.h.
#include "runtime/generation.h"

#include <algorithm>
#include <chrono>

namespace retort::runtime {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

}  // namespace

Generation generate(Decoder& decoder, std::span<const TokenId> prompt, const GenerationOptions& options) {
  Generation result;
  Sampler sampler(options.sampling);
  Clock::time_point start = Clock::now();
  std::span<const float> logits = decoder.prompt(prompt);
  result.prefill_ms = milliseconds_since(start);

  start = Clock::now();
  // The last token is never fed back, so one more fits than the cache has room for.
  const std::int64_t most =
      std::max<std::int64_t>(0, std::min(options.max_new_tokens, decoder.context() - decoder.position() + 1));
  std::vector<TokenId> sequence(prompt.begin(), prompt.end());
  sequence.reserve(prompt.size() + static_cast<std::size_t>(most));
  while (static_cast<std::int64_t>(sequence.size() - prompt.size()) < most) {
    const TokenId token = sampler.next(logits, sequence);
    sequence.push_back(token);
    const bool stopped = options.token && !options.token(token);
    const bool ended = std::find(options.ends.begin(), options.ends.end(), token) != options.ends.end();
    if (stopped || ended || static_cast<std::int64_t>(sequence.size() - prompt.size()) == most) break;
    logits = decoder.forward({&sequence.back(), 1});
  }
  result.tokens.assign(sequence.begin() + static_cast<std::ptrdiff_t>(prompt.size()), sequence.end());
  result.decode_ms = milliseconds_since(start);
  return result;
}

Generation generate_greedy(Decoder& decoder, std::span<const TokenId> prompt, TokenId end,
                           std::int64_t max_new_tokens) {
  return generate(decoder, prompt, {.ends = {end}, .max_new_tokens = max_new_tokens});
}

}  // namespace retort::runtime
