// Losses over many rows a few rows at a time: logits [N,V] of a large vocabulary are never there as a whole, nor is
// what a loss computes of them. Internal to core/train. N rows, V vocabulary.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "train/libtorch.h"

namespace retort::train {

constexpr std::int64_t most_logits = 1 << 24;  ///< elements of one chunk of logits: 64 MiB in f32

/// Where chunks of at most `rows_at_once` rows begin and end: 0, …, `rows`. With `sequences` [N] (equal numbers follow
/// one another) only between sequences, so that a longer one is a chunk of its own.
std::vector<std::int64_t> chunk_borders(std::int64_t rows, std::int64_t rows_at_once,
                                        const torch::Tensor& sequences = {});
/// The same for rows of logits of `vocabulary` tokens.
std::vector<std::int64_t> logit_chunks(std::int64_t rows, std::int64_t vocabulary, const torch::Tensor& sequences = {});

/// How many rows of logits every sequence makes in one model.
struct SequenceLogits {
  std::span<const std::int64_t> begins;  ///< [S + 1] the row where each begins, and the end; rising; borrowed
  std::int64_t vocabulary;
};
/// Numbers of the sequences where chunks begin, and their count S: as many to a chunk as leave every reader's logits
/// at most `most_logits` elements; one that alone has more is a chunk of its own, so that the longest sequence bounds
/// what is held. A chunk has rows of the last reader. `readers` are of the same S.
std::vector<std::size_t> sequence_chunks(std::span<const SequenceLogits> readers);

/// The scalar loss of rows begin … begin + count; `by_row` are these rows of what summed_by_chunks() was given.
using ChunkLoss =
    std::function<torch::Tensor(std::int64_t begin, std::int64_t count, const std::vector<torch::Tensor>& by_row)>;

/// Σ over chunks of `loss`. Gradients flow to `by_row` ([N,…] each) and to those of `shared`, leaves that `loss` reads
/// too, which require any. With one chunk simply the loss; with more every chunk's graph is gone before the next one's
/// is made. An undefined loss adds nothing.
torch::Tensor summed_by_chunks(const std::vector<torch::Tensor>& by_row, const std::vector<torch::Tensor>& shared,
                               const std::vector<std::int64_t>& borders, const ChunkLoss& loss);

}  // namespace retort::train
