// The next token from logits: greedy, or drawn after the usual filters. No model, no cache.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <span>
#include <vector>

#include "grammar/grammar.h"
#include "runtime/decoder/decoder.h"

namespace retort::runtime {

/// Applied in this order, as Transformers does; the defaults leave logits alone and take the largest.
struct SamplingOptions {
  std::map<TokenId, float> logit_bias;  ///< added to the token's logit
  double repetition_penalty = 1;        ///< logits of tokens seen: divided where positive, multiplied where negative
                                        ///< (Keskar et al. 2019, https://arxiv.org/abs/1909.05858, section 4.1)
  double temperature = 0;               ///< divides logits; 0 = greedy, and what follows is unused
  std::int64_t top_k = 0;               ///< the k most likely stay; 0 = all
  double top_p =
      1;  ///< the fewest whose probabilities reach p stay (Holtzman et al., https://arxiv.org/abs/1904.09751)
  double min_p = 0;  ///< those at least min_p times as likely as the likeliest stay (https://arxiv.org/abs/2407.01082)
  std::uint64_t seed = 0;
};

/// One sequence's draws: the same seed and logits give the same tokens on every machine whose logits are equal.
/// Used by one thread at a time.
class Sampler {
 public:
  /// Throws std::invalid_argument for an option out of range: its name, expected, found.
  explicit Sampler(SamplingOptions options);

  /// `logits` [V]; `seen`: prompt and answer so far. Ties go to the smaller id. Throws std::invalid_argument for a bias
  /// of a token outside of V, std::runtime_error when every logit is NaN. `allowed`: the only tokens that may come, all
  /// others being impossible before any option applies; null: all.
  TokenId next(std::span<const float> logits, std::span<const TokenId> seen,
               const grammar::TokenMask* allowed = nullptr);
  /// Whether next() is the largest logit, nothing else: a token that may come and has it needs no mask.
  bool plain() const {
    return options_.temperature == 0 && options_.logit_bias.empty() && options_.repetition_penalty == 1;
  }

 private:
  struct Candidate {
    TokenId token;
    double logit;
  };
  void adjust(std::span<const TokenId> seen);
  TokenId draw();
  /// Brings the `count` likeliest candidates to the front, in order.
  void sort_until(std::size_t count);

  SamplingOptions options_;
  std::mt19937_64 random_;
  // Kept from token to token, so that only the first allocates.
  std::vector<float> logits_;          // a copy where they change
  std::vector<bool> seen_;             // by token; all false between calls
  std::vector<Candidate> candidates_;  // of a draw
  std::size_t sorted_ = 0;             // that many of them are the likeliest, most likely first
  std::vector<double> weights_;        // of the candidates that filters leave
};

}  // namespace retort::runtime
