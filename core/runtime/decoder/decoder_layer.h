// One transformer layer of the Llama, Qwen and Gemma 3 families: RMSNorm, grouped-query attention with RoPE, RMSNorm,
// gated feed-forward; in Gemma's a norm behind each of the two blocks as well.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/model_folder.h"
#include "runtime/cache/kv_cache.h"
#include "runtime/decoder/workspace.h"
#include "runtime/kernels/rope_table.h"
#include "runtime/linear/linear.h"

namespace retort::runtime {

/// Rows that follow each other in one sequence and are attended together: queries of one tile.
struct RowRun {
  std::int64_t first = 0;
  std::int64_t count = 0;
};

/// The rows of one pass through the layers: T tokens of one sequence, or one of each of several.
struct Pass {
  std::span<const RowPlace> places;  ///< [rows]
  std::span<const RowRun> runs;      ///< all rows, in order
  std::int64_t rows() const { return static_cast<std::int64_t>(places.size()); }
};

/// What the layers behind a layer, or the head, need of a pass.
enum class Wanted {
  all_rows,
  last_row,  ///< in the last layer of a prompt's last pass
  nothing,   ///< in the last layer of its other passes: keys and values are all that stays
};

/// Immutable but for update(); all state is in the cache and the workspace.
class DecoderLayer {
 public:
  DecoderLayer(const model::ModelFolder& folder, std::int64_t index, MatmulPool& pool);

  /// The weights of `folder` in place of those in use. Throws as Linear::repack.
  void update(const model::ModelFolder& folder);
  /// Stores the rows' keys and values in the cache and adds the layer's two blocks to workspace.hidden() [rows,D];
  /// where only the last row is wanted it is then row 0, and the others mean nothing.
  void forward(const Pass& pass, Wanted wanted, const RopeTable& rope, KvCache& cache, Workspace& workspace) const;
  /// Most rows of a run: so many that with the query heads of one KV head they fill a tile.
  static std::int64_t longest_run(const model::ModelConfig& config);
  std::vector<std::string> implementations() const;

 private:
  void read_vectors(const model::ModelFolder& folder);
  void normalize(std::int64_t rows, const std::vector<float>& weight, const Linear& next, Workspace& workspace) const;
  /// Queries, keys and values in projected() as the model defines them: scaled, with bias and norm. Leaves them alone
  /// where the family has neither; then the row's scale is still to be applied.
  void finish_projection(std::int64_t rows, Workspace& workspace) const;
  float projection_scale(std::int64_t row, Workspace& workspace) const;
  /// Row `row` becomes row 0 of what the rest of the layer reads.
  void keep_row(std::int64_t row, Workspace& workspace) const;
  void store_keys_and_values(const Pass& pass, const RopeTable& rope, KvCache& cache, Workspace& workspace) const;
  /// Multiply-adds of a pass, as parallel_for counts them.
  std::int64_t attention_work(const Pass& pass) const;
  void attend_rows(const Pass& pass, const RopeTable& rope, const KvCache& cache, Workspace& workspace) const;
  /// The query heads [first, first + count) of KV head `head`, for every row of `run`.
  void attend_run(const Pass& pass, const RowRun& run, std::int64_t head, std::int64_t first, std::int64_t count,
                  const RopeTable& rope, const KvCache& cache, Workspace& workspace, std::int64_t thread) const;
  void finish_attention(std::int64_t rows, Workspace& workspace) const;
  void activate(std::int64_t rows, Workspace& workspace) const;
  /// Adds what `linear` gave, with its bias, and normed where `norm` is not empty, to the residual stream.
  void add_back(std::int64_t rows, const Linear& linear, const std::vector<float>& bias, const std::vector<float>& norm,
                Workspace& workspace) const;

  std::int64_t index_, heads_, kv_heads_, head_dim_, intermediate_size_, window_;
  float epsilon_;
  float temperature_;  // scores are multiplied with it
  model::Activation activation_;
  std::vector<float> attention_norm_, feed_forward_norm_;                // [D]
  std::vector<float> attention_output_norm_, feed_forward_output_norm_;  // [D], or empty
  std::vector<float> query_norm_, key_norm_;                             // [head_dim], or empty
  std::vector<float> qkv_bias_, o_bias_;                                 // [(H + 2K) · head_dim] and [D], or empty
  Linear qkv_;                                                           // [(H + 2K) · head_dim, D]
  Linear o_;                                                             // [D, H · head_dim]
  Linear gate_up_;                                                       // [2F, D]
  Linear down_;                                                          // [D, F]
};

}  // namespace retort::runtime
