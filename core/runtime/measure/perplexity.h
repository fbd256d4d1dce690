// How well a model predicts a text, as quantisation papers count it: the text's tokens in windows, one behind the
// other.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "runtime/decoder/decoder.h"

namespace retort::runtime {

struct PerplexityOptions {
  std::int64_t window = 2048;  ///< tokens that see each other; at least 2, at most the decoder's context
  std::int64_t windows = 0;    ///< the first so many; 0: all
};

struct Perplexity {
  std::int64_t windows = 0;
  std::int64_t predicted = 0;  ///< tokens: all of a window but its first
  double nats = 0;             ///< mean negative log-likelihood of one of them
  double value() const;        ///< e to it
};

/// Of whole windows; what is left behind the last is not read. Logits are computed by the decoder a part of a window at
/// a time, sums in double. Ends early, with what it has, when `go_on` (may be empty) returns false. Throws
/// std::invalid_argument for a window that the decoder has no room for, or fewer tokens than one window.
Perplexity perplexity(Decoder& decoder, std::span<const TokenId> tokens, const PerplexityOptions& options,
                      const std::function<bool()>& go_on = {});

}  // namespace retort::runtime
