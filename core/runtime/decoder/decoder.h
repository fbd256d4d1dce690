// Inference of a decoder (Llama, Qwen2, Qwen3, Gemma 3) on oneDNN kernels: prompts in chunks, then one token at a time
// of one sequence or of several together, on a KV cache in blocks whose beginnings prompts may share. One engine
// thread: an object must be used by one thread at a time. No LibTorch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/model_folder.h"
#include "runtime/cache/kv_cache.h"
#include "runtime/decoder/packed_weights.h"

namespace retort::runtime {

using TokenId = std::int32_t;

/// Sequences that may be decoded together.
inline constexpr std::int64_t kMaxSequences = 64;

struct DecoderOptions {
  std::int64_t context = 0;  ///< tokens of one sequence; 0 = the model's max_positions, at most 4096
  /// OpenMP threads of the engine; small models are fastest with 1. More than the machine has: as many as it has, and
  /// one warning in the log.
  std::int64_t threads = 1;
  KvType kv_cache = KvType::automatic;
  WeightSource weights = WeightSource::packed;  ///< gives the same bits either way
  std::int64_t sequences = 1;                   ///< that are held at once, 1 to kMaxSequences
  /// Tokens of a prompt that go through the layers together: a multiple of 32, up to 512; 0 = kDefaultChunk. Passes end
  /// where positions are multiples of it. More is faster on long prompts, less lets the prefix cache share more.
  std::int64_t chunk = 0;
  std::int64_t prefix_cache = 0;  ///< tokens of prompts' beginnings kept for the prompts to come; 0 = none
};
inline constexpr std::int64_t kDefaultChunk = 256;

/// The next token of one sequence.
struct SequenceStep {
  std::int64_t sequence = 0;
  TokenId token = 0;
};

/// Weights packed for the kernels plus the KV cache. Each layer is multiplied in the form that the folder stores: f32
/// (f16 too: exact, twice the memory), bf16 (f32 where the processor has no bf16 products), int8 and int4
/// with one dynamic activation scale per token. README.md says which kernel serves what;
/// implementations() what runs. Sequences are numbered from 0 and empty at first.
class Decoder {
 public:
  /// Throws std::runtime_error / std::invalid_argument as ModelFolder does, and when a oneDNN primitive would fall back
  /// to its reference implementation (names layer and shape), when a weight is NaN or infinite (names the tensor), when
  /// the loaded oneDNN is older than the compiled one, or an option is out of range.
  Decoder(const model::ModelFolder& folder, DecoderOptions options);
  ~Decoder();

  const model::ModelConfig& config() const;
  std::int64_t context() const;
  std::int64_t sequences() const;
  std::int64_t threads() const;
  KvType kv_cache() const;                                 ///< the concrete type
  std::int64_t kv_bytes_per_token() const;                 ///< of all layers
  void reset(std::int64_t sequence = 0);                   ///< forgets the sequence
  std::int64_t position(std::int64_t sequence = 0) const;  ///< its tokens in the cache
  /// Feeds T more tokens to a sequence; returns the logits [V] after the last one, valid until the next call.
  /// Throws std::invalid_argument when there is no token, the cache has no room or a token is outside the vocabulary;
  /// the cache is then unchanged.
  std::span<const float> forward(std::span<const TokenId> tokens, std::int64_t sequence = 0);
  /// The same from an empty sequence, with whole chunks at the beginning taken from the prefix cache where an earlier
  /// prompt had them, and kept for later ones. Gives the same bits either way: a chunk is always one pass over the same
  /// rows. Returns in `reused`, if given, how many tokens were not computed. On an error the sequence is unchanged.
  std::span<const float> prompt(std::span<const TokenId> tokens, std::int64_t sequence = 0,
                                std::int64_t* reused = nullptr);
  /// One token for each of 1 to kMaxSequences different sequences, decoded together; logits [steps,V], valid until the
  /// next call. Throws as forward(); all sequences are then unchanged.
  std::span<const float> step(std::span<const SequenceStep> steps);
  /// Sequence `to` becomes the first `tokens` tokens of sequence `from`, which stays as it is unless it is the same: a
  /// prompt that was computed once goes on in several ways. What follows has the bits that it has behind a prompt of
  /// its own. Throws std::invalid_argument for more tokens than `from` has, or none.
  void fork(std::int64_t from, std::int64_t to, std::int64_t tokens);
  /// As forward(), but logits [T,V] of every position: for evaluation and tests.
  std::vector<float> forward_all(std::span<const TokenId> tokens, std::int64_t sequence = 0);
  /// The weights of another model of the same shape, all float, packed in place of those in use; forgets all sequences
  /// and the prefix cache. Then the decoder gives the bits that one of `folder` gives. Nothing of the model's size is
  /// allocated. Throws std::invalid_argument where shape or form differ (quantised weights are not replaced), naming
  /// the layer, and as the constructor; the decoder is then of no use until this has succeeded.
  void update_weights(const model::ModelFolder& folder);
  /// What packed_weights.h writes; borrowed.
  const std::vector<model::PackedSection>& packed_sections() const;
  std::vector<std::string> implementations() const;  ///< oneDNN's version and threads, then one line per
                                                     ///< kind of linear layer: shape, oneDNN's impl_info_str

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace retort::runtime
