// See sampling.h.
#include "runtime/generate/sampling.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

#include "runtime/generate/allowed_tokens.h"
#include "runtime/kernels/vector_kernels.h"

namespace retort::runtime {
namespace {

/// Filters seldom leave more candidates than this; a vocabulary takes long to sort.
constexpr std::size_t kFirstSorted = 64;

void require(bool holds, const char* option, const char* expected, double found) {
  if (!holds)
    throw std::invalid_argument(std::string(option) + ": expected " + expected + ", found " + std::to_string(found));
}

TokenId largest(std::span<const float> logits) {
  const std::int64_t best = argmax(logits.data(), static_cast<std::int64_t>(logits.size()));
  if (best >= 0) return static_cast<TokenId>(best);
  throw std::runtime_error(
      "generate: every logit is NaN although the weights are finite: activations overflowed; the model is damaged, "
      "train or quantise it again");
}

TokenId largest_allowed(std::span<const float> logits, const grammar::TokenMask& allowed) {
  TokenId best = -1;
  float most = -std::numeric_limits<float>::infinity();
  for_each_allowed(allowed, logits.size(), [&](std::size_t token) {
    if (logits[token] > most || (best < 0 && !std::isnan(logits[token]))) {
      best = static_cast<TokenId>(token);
      most = logits[token];
    }
  });
  if (best >= 0) return best;
  throw std::runtime_error(
      "generate: the logits of all tokens that the grammar allows are NaN, or the embedding has no row for them");
}

}  // namespace

Sampler::Sampler(SamplingOptions options) : options_(std::move(options)), random_(options_.seed) {
  require(options_.temperature >= 0 && std::isfinite(options_.temperature), "temperature", "a number of at least 0",
          options_.temperature);
  require(options_.top_k >= 0, "top_k", "0 (all) or more", static_cast<double>(options_.top_k));
  require(options_.top_p > 0 && options_.top_p <= 1, "top_p", "a number above 0, at most 1", options_.top_p);
  require(options_.min_p >= 0 && options_.min_p <= 1, "min_p", "a number from 0 to 1", options_.min_p);
  require(options_.repetition_penalty > 0 && std::isfinite(options_.repetition_penalty), "repetition_penalty",
          "a number above 0", options_.repetition_penalty);
}

void Sampler::adjust(std::span<const TokenId> seen) {
  for (const auto& [token, bias] : options_.logit_bias) {
    if (token < 0 || token >= static_cast<TokenId>(logits_.size()))
      throw std::invalid_argument("logit_bias: expected a token from 0 to " + std::to_string(logits_.size() - 1) +
                                  ", found " + std::to_string(token));
    logits_[static_cast<std::size_t>(token)] += bias;
  }
  if (options_.repetition_penalty == 1) return;
  const auto penalty = static_cast<float>(options_.repetition_penalty);
  seen_.resize(logits_.size());
  for (const TokenId token : seen) {
    const auto index = static_cast<std::size_t>(token);
    if (seen_.at(index)) continue;
    seen_[index] = true;
    logits_[index] = logits_[index] > 0 ? logits_[index] / penalty : logits_[index] * penalty;
  }
  for (const TokenId token : seen) seen_[static_cast<std::size_t>(token)] = false;
}

void Sampler::sort_until(std::size_t count) {
  const auto likelier = [](const Candidate& a, const Candidate& b) {
    return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
  };
  const auto at = [this](std::size_t index) { return candidates_.begin() + static_cast<std::ptrdiff_t>(index); };
  std::partial_sort(at(sorted_), at(count), candidates_.end(), likelier);
  sorted_ = count;
}

TokenId Sampler::draw() {
  candidates_.clear();
  candidates_.reserve(logits_.size());
  weights_.reserve(logits_.size());
  sorted_ = 0;
  for (std::size_t i = 0; i < logits_.size(); ++i)
    if (!std::isnan(logits_[i]))
      candidates_.push_back({static_cast<TokenId>(i), double{logits_[i]} / options_.temperature});
  if (candidates_.empty()) return largest(logits_);
  if (options_.top_k > 0) {
    sort_until(std::min(candidates_.size(), static_cast<std::size_t>(options_.top_k)));
    candidates_.resize(sorted_);
  } else {
    sort_until(std::min(candidates_.size(), kFirstSorted));
  }
  const double top = candidates_.front().logit;
  const auto weight = [top](const Candidate& candidate) {  // relative to the likeliest, which is 1
    return std::isinf(top) ? 1.0 : std::exp(candidate.logit - top);
  };
  double total = 0;
  if (options_.top_p < 1)
    for (const Candidate& candidate : candidates_) total += weight(candidate);
  weights_.clear();
  double sum = 0;
  for (std::size_t count = 0; count < candidates_.size(); ++count) {
    if (count == sorted_) sort_until(std::min(candidates_.size(), 4 * sorted_));
    const double next = weight(candidates_[count]);
    if (next < options_.min_p) break;
    weights_.push_back(next);
    sum += next;
    if (options_.top_p < 1 && sum >= options_.top_p * total) break;
  }
  const double fraction = static_cast<double>(random_() >> 11U) * 0x1.0p-53;  // [0,1)
  double left = fraction * sum;
  for (std::size_t i = 0; i + 1 < weights_.size(); ++i) {
    left -= weights_[i];
    if (left < 0) return candidates_[i].token;
  }
  return candidates_[weights_.size() - 1].token;
}

TokenId Sampler::next(std::span<const float> logits, std::span<const TokenId> seen, const grammar::TokenMask* allowed) {
  if (plain()) return allowed == nullptr ? largest(logits) : largest_allowed(logits, *allowed);
  if (allowed == nullptr) {
    logits_.assign(logits.begin(), logits.end());
  } else {
    logits_.assign(logits.size(), std::numeric_limits<float>::quiet_NaN());
    for_each_allowed(*allowed, logits.size(), [&](std::size_t token) { logits_[token] = logits[token]; });
  }
  adjust(seen);
  return options_.temperature == 0 ? largest(logits_) : draw();
}

}  // namespace retort::runtime
