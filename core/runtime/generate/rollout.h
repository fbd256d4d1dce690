// Rollouts of a model that is being trained: many samples of many prompts, decoded together, with the log-probabilities
// of what was drawn, from float weights that are replaced in place between steps. No LibTorch, no text, no rewards.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "grammar/grammar.h"
#include "model/model_config.h"
#include "runtime/decoder/decoder.h"
#include "runtime/generate/token_draw.h"

namespace retort::runtime {

/// The values of the float tensor of this Hugging Face name (model::tensor_shapes), row-major f32; all are
/// borrowed until the function that was given this has returned. What it throws is passed on.
using FloatWeights = std::function<std::span<const float>(const std::string& name)>;

/// How weights are multiplied.
enum class RolloutPrecision : std::uint8_t {
  f32,   ///< as they are
  bf16,  ///< rounded to nearest even: half the memory, and faster where the processor multiplies bf16
};

struct RolloutEngineOptions {
  std::int64_t threads = 1;     ///< as DecoderOptions::threads
  std::int64_t sequences = 64;  ///< decoded together, 1 to kMaxRollouts; memory and speed only
  std::int64_t context = 0;     ///< as DecoderOptions::context: prompt and response
  RolloutPrecision precision = RolloutPrecision::f32;
  KvType kv_cache = KvType::f32;  ///< f32: what the trainer computes; smaller types change the log-probabilities
};
inline constexpr std::int64_t kMaxRollouts = 64;

struct RolloutOptions {
  double temperature = 1;            ///< divides logits; 0: the likeliest token, ties to the smaller id
  std::int64_t max_new_tokens = 64;  ///< of a response, its end token included; at least 1
  TokenId end_token = -1;            ///< -1: none, all responses are cut
  std::int64_t group_size = 1;       ///< G samples of every prompt, which is computed once
  std::uint64_t seed = 0;
  /// [B] number of each prompt among those that its samples are drawn beside: its sample g draws as row number·G + g.
  /// Empty: 0, 1, … So a part of many prompts is answered as it is among all. Borrowed.
  std::span<const std::uint64_t> numbers = {};
  /// What responses may be; null: anything. Borrowed, used by the calling thread. Tokens that it does not allow are
  /// impossible: log-probabilities are those of what was drawn from, over the tokens that it allows.
  grammar::Grammar* grammar = nullptr;
};

struct Rollout {
  std::vector<TokenId> tokens;  ///< [T] of the response; the last one is the end token if it is finished
  /// [T] natural logarithms of the probabilities that the tokens were drawn with: log_softmax(logits / temperature)
  /// over the whole vocabulary; at temperature 0 those of temperature 1.
  std::vector<float> log_probabilities;
  bool finished = false;  ///< by the end token; false: cut at max_new_tokens or at the end of the context
};

/// Used by one thread at a time.
class RolloutEngine {
 public:
  /// Packs the weights of a model of this shape. Throws std::invalid_argument for an option out of range and for a
  /// tensor whose size is not the config's (its name, expected, found); std::runtime_error as Decoder, naming a tensor
  /// with NaN or infinity.
  RolloutEngine(const model::ModelConfig& config, const FloatWeights& weights, RolloutEngineOptions options);
  ~RolloutEngine();

  /// New values for all weights, packed into the buffers of the old ones: nothing of the model's size is allocated.
  /// What is sampled then has the bits that a new engine with these weights gives. Throws as the constructor; the
  /// weights are then a mixture, and have to be given again.
  void update_weights(const FloatWeights& weights);

  /// B·G rollouts, row b·G + g the g-th sample of prompts[b] (B ≥ 0). Each prompt goes through the layers once; when a
  /// sequence ends the next one takes its place. Row r draws its t-th token with draw_number(seed, r, t)
  /// alone (token_draw.h; r as RolloutOptions::numbers says): so the same seed gives the same rows whatever is decoded
  /// beside them, on however many threads, but for draws that hit a border within the rounding of the logits; the
  /// same engine options give the same bits. Throws std::invalid_argument for an option out of range, an empty prompt,
  /// one that leaves no room for a token in the context, or a token outside of the vocabulary (which prompt, expected,
  /// found), std::runtime_error when every logit is NaN; before anything was sampled but for the last.
  std::vector<Rollout> sample(std::span<const std::vector<TokenId>> prompts, const RolloutOptions& options);

  const model::ModelConfig& config() const;
  std::int64_t context() const;
  /// The decoder that samples; what happens to its sequences between calls does not matter to sample().
  Decoder& decoder();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace retort::runtime
