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

/// Where the sequences of one reader begin among its rows, and the end: [S + 1], rising, from 0.
using SequenceBegins = std::vector<std::int64_t>;

/// One reader of the sequences, and how many of its rows a chunk may have.
struct SequenceRows {
  std::span<const std::int64_t> begins;  ///< SequenceBegins, borrowed
  std::int64_t rows_at_once;
};

/// Where chunks of at most `rows_at_once` rows begin and end: 0, …, `rows`. With `sequences` [N] (equal numbers follow
/// one another) only between sequences, so that a longer one is a chunk of its own.
std::vector<std::int64_t> chunk_borders(std::int64_t rows, std::int64_t rows_at_once,
                                        const torch::Tensor& sequences = {});
/// The same between sequences, in rows of the first of `readers`, which read the same S: as many sequences to a chunk
/// as no reader has too many rows of. One that alone has more is a chunk of its own, so that the longest bounds what is
/// held. Every chunk has rows of the first reader.
std::vector<std::int64_t> chunk_borders(const std::vector<SequenceRows>& readers);
/// How many rows of logits of `vocabulary` tokens a chunk has: at least one.
std::int64_t logit_rows(std::int64_t vocabulary);
/// chunk_borders() of rows of logits of `vocabulary` tokens.
std::vector<std::int64_t> logit_chunks(std::int64_t rows, std::int64_t vocabulary, const torch::Tensor& sequences = {});

/// The scalar loss of rows begin … begin + count; `by_row` are these rows of what summed_by_chunks() was given.
using ChunkLoss =
    std::function<torch::Tensor(std::int64_t begin, std::int64_t count, const std::vector<torch::Tensor>& by_row)>;

/// Σ over chunks of `loss`. Gradients flow to `by_row` ([N,…] each) and to those of `shared`, leaves that `loss` reads
/// too, which require any. With one chunk simply the loss; with more every chunk's graph is gone before the next one's
/// is made. An undefined loss adds nothing.
torch::Tensor summed_by_chunks(const std::vector<torch::Tensor>& by_row, const std::vector<torch::Tensor>& shared,
                               const std::vector<std::int64_t>& borders, const ChunkLoss& loss);

}  // namespace retort::train
