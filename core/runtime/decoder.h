// Inference of a decoder (Llama, Qwen2, Qwen3) on oneDNN kernels with a KV cache: prefill and one-row decode.
// One engine thread: an object must be used by one thread at a time. No LibTorch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/model_folder.h"

namespace retort::runtime {

using TokenId = std::int32_t;

struct DecoderOptions {
  std::int64_t context = 0;  ///< tokens that the KV cache holds; 0 = the model's max_positions, at most 4096
  std::int64_t threads = 1;  ///< OpenMP threads of the engine; small models are fastest with 1
};

/// Weights packed for oneDNN plus one KV cache. Float weights run as f32, int8 weights as s8 × s8 with one dynamic
/// activation scale per token; on a processor without VNNI the same codes are multiplied in f32 (see
/// implementations()).
class Decoder {
 public:
  /// Throws std::runtime_error / std::invalid_argument as ModelFolder does, and when a oneDNN primitive would fall back
  /// to its reference implementation (names layer and shape), when a weight is NaN or infinite (names the tensor), when
  /// the loaded oneDNN is older than the compiled one, or an option is out of range.
  Decoder(const model::ModelFolder& folder, DecoderOptions options);
  ~Decoder();

  const model::ModelConfig& config() const;
  std::int64_t context() const;
  void reset();                   ///< forgets the cache
  std::int64_t position() const;  ///< tokens in the cache
  /// Feeds T tokens; returns the logits [V] after the last one, valid until the next call.
  /// Throws std::invalid_argument when there is no token, the cache has no room or a token is outside the vocabulary;
  /// the cache is then unchanged.
  std::span<const float> forward(std::span<const TokenId> tokens);
  /// The same, but logits [T,V] of every position: for evaluation and tests.
  std::vector<float> forward_all(std::span<const TokenId> tokens);
  std::vector<std::string> implementations() const;  ///< oneDNN's version and threads, then one line per
                                                     ///< kind of linear layer: shape, oneDNN's impl_info_str

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace retort::runtime
