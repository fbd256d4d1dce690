// Continuations of prompts, token by token, with the decoder of decoder.h: of one, or of several decoded together. No
// beams: a call has one right answer.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "runtime/generate/sampling.h"
#include "runtime/kernels/log_probabilities.h"

namespace retort::runtime {

struct Generation {
  std::vector<TokenId> tokens;                      ///< without the prompt; ends with an end token unless cut short
  std::vector<LogProbabilities> log_probabilities;  ///< of each token, if asked for
  std::int64_t forced = 0;                          ///< tokens that the grammar left no choice about
  double allowed_log_mass = 0;  ///< sum over the others of the logarithm of what the model gave to allowed tokens
  double prefill_ms = 0;
  double decode_ms = 0;
};

struct GenerationOptions {
  std::vector<TokenId> ends;  ///< any of them stops
  std::int64_t max_new_tokens = 256;
  SamplingOptions sampling;            ///< greedy by default
  std::int64_t log_probabilities = 0;  ///< how many of the likeliest tokens to tell with each; 0: no log-probabilities
  std::function<bool(TokenId)> token;  ///< sees every token as it comes; false stops. May be empty
  /// What the answer may be: every token is masked by it, and its end tokens should be among `ends`. Null: anything.
  /// Borrowed, used by the thread that generates; may serve several requests.
  grammar::Grammar* grammar = nullptr;
  /// With it, tokens that the grammar leaves no choice about are fed together without asking the model (not where
  /// log-probabilities are asked for). Null: one by one.
  const text::Tokenizer* tokenizer = nullptr;
  bool allowed_mass = false;  ///< whether to sum Generation::allowed_log_mass; one softmax a token
};

/// From an empty sequence 0 until an end token, `max_new_tokens` or a full cache. Throws std::invalid_argument as
/// Decoder::prompt and as Sampler, std::runtime_error when every logit is NaN.
Generation generate(Decoder& decoder, std::span<const TokenId> prompt, const GenerationOptions& options);

/// The same where sequence 0 holds the prompt and nothing else, and `logits` [V] came behind it.
Generation generate_behind(Decoder& decoder, std::span<const TokenId> prompt, std::span<const float> logits,
                           const GenerationOptions& options);

/// What generate() chooses with a plain sampler: the largest of the logits [V] that the grammar allows, all of them
/// where it is null; `state` is the grammar's before the token, and then behind it. Throws as Sampler::next().
TokenId greedy_choice(Sampler& sampler, std::span<const float> logits, grammar::Grammar* grammar,
                      grammar::GrammarState& state);

/// generate(), greedily.
Generation generate_greedy(Decoder& decoder, std::span<const TokenId> prompt, TokenId end, std::int64_t max_new_tokens);

/// One of several that are decoded together, with options of its own.
struct GenerationRequest {
  std::vector<TokenId> prompt;
  GenerationOptions options;
};

/// All requests, as many at a time as the decoder holds sequences; the next one begins when one ends, and each is given
/// to `finished` with its index when it has. Each is what generate() gives up to near-ties of logits; a decode_ms
/// counts the time that others were decoded in too. A prompt that follows an equal one is not computed again. Throws as
/// generate(), and what `finished` and the requests' `token` throw.
void generate_each(Decoder& decoder, std::span<const GenerationRequest> requests,
                   const std::function<void(std::size_t index, Generation result)>& finished);

/// The same for prompts with the same options, of which prompt i draws with seed + i; results in the order of the
/// prompts. `options.token` is not called. Throws as generate(), then without results.
std::vector<Generation> generate_batch(Decoder& decoder, std::span<const std::vector<TokenId>> prompts,
                                       const GenerationOptions& options);

}  // namespace retort::runtime
