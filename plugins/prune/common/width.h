// Width pruning of a Llama-family decoder (Minitron, arXiv 2407.14679): how narrow each axis becomes, and which
// channels and heads stay. Norms come from the host; the weights are never seen here.
//
// Dimensions: V vocabulary, D hidden, F feed-forward, L layers, H query heads, K kv heads, d head_dim.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace retort::prune {

struct Shape {
  std::int64_t layers = 0, heads = 0, kv_heads = 0, head_dim = 0, hidden = 0, feed_forward = 0, vocabulary = 0;
  bool tied_embedding = true;

  /// V·D (twice unless tied) + L·(2·D·H·d + 2·D·K·d + 3·D·F + 2·D) + D.
  std::int64_t parameters() const;
};

struct WidthOptions {
  double remove = 0.25;  ///< share of the parameters that goes at least; not read where a target is given
  bool prune_feed_forward = true, prune_hidden = true, prune_heads = false;  ///< axes that `remove` may narrow
  std::int64_t feed_forward = 0, hidden = 0, kv_heads = 0;                   ///< targets; 0: none
  std::int64_t round_to = 8;    ///< feed_forward and hidden become multiples of it
  double smallest_share = 0.4;  ///< of an axis that `remove` leaves
};

/// The shape after pruning. With any target given, only those axes change. Otherwise feed-forward shrinks first, by as
/// little as removes enough, then hidden, then kv heads (each with its query heads), none below `smallest_share`.
/// Throws std::invalid_argument: a target above the present size or not a multiple that fits, or a share that the
/// allowed axes cannot reach (with the share that they can).
Shape narrowed(const WidthOptions& options, const Shape& shape);

/// Indices of the `count` largest norms, ascending; ties go to the lower index. Throws std::invalid_argument for a norm
/// that is negative or not finite, naming its index.
std::vector<std::int64_t> strongest(std::span<const float> norms, std::int64_t count);

/// [K] sums of the norms [H] of the query heads that share a kv head.
std::vector<float> kv_head_norms(std::span<const float> head_norms, std::int64_t kv_heads);

}  // namespace retort::prune
