// See perplexity.h.
#include "runtime/measure/perplexity.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "runtime/kernels/log_probabilities.h"

namespace retort::runtime {
namespace {

constexpr std::int64_t kPart = 128;  // tokens whose logits are held at once

/// The negative log-likelihoods of all tokens but the first, added up.
double window_nats(Decoder& decoder, std::span<const TokenId> window) {
  const auto vocabulary = static_cast<std::size_t>(decoder.config().vocabulary_size);
  double nats = 0;
  decoder.reset();
  for (std::size_t first = 0; first + 1 < window.size(); first += kPart) {
    const std::size_t count = std::min<std::size_t>(kPart, window.size() - 1 - first);
    const std::vector<float> logits = decoder.forward_all(window.subspan(first, count));
    for (std::size_t i = 0; i < count; ++i) {
      const std::span<const float> row = std::span(logits).subspan(i * vocabulary, vocabulary);
      nats -= log_probabilities(row, window[first + i + 1], 0).chosen.log_probability;
    }
  }
  return nats;
}

}  // namespace

double Perplexity::value() const {
  return std::exp(nats);
}

Perplexity perplexity(Decoder& decoder, std::span<const TokenId> tokens, const PerplexityOptions& options,
                      const std::function<bool()>& go_on) {
  if (options.window < 2 || options.window > decoder.context())
    throw std::invalid_argument("window: expected 2 to " + std::to_string(decoder.context()) +
                                " tokens (the context), found " + std::to_string(options.window));
  const auto window = static_cast<std::size_t>(options.window);
  std::int64_t windows = static_cast<std::int64_t>(tokens.size() / window);
  if (windows == 0)
    throw std::invalid_argument("the text has " + std::to_string(tokens.size()) +
                                " tokens, expected at least one window of " + std::to_string(window));
  if (options.windows > 0) windows = std::min(windows, options.windows);
  Perplexity result;
  double nats = 0;
  for (std::int64_t i = 0; i < windows && (!go_on || go_on()); ++i) {
    nats += window_nats(decoder, tokens.subspan(static_cast<std::size_t>(i) * window, window));
    ++result.windows;
    result.predicted += options.window - 1;
  }
  if (result.predicted > 0) result.nats = nats / static_cast<double>(result.predicted);
  return result;
}

}  // namespace retort::runtime
