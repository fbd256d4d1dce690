// One transformer layer of the Llama and Qwen families: RMSNorm, grouped-query attention with RoPE, RMSNorm, SwiGLU.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/model_folder.h"
#include "runtime/kv_cache.h"
#include "runtime/linear.h"
#include "runtime/rope_table.h"
#include "runtime/workspace.h"

namespace retort::runtime {

/// Immutable after construction; all state is in the cache and the workspace.
class DecoderLayer {
 public:
  DecoderLayer(const model::ModelFolder& folder, std::int64_t index, MatmulPool& pool);

  /// Adds the layer's two blocks to workspace.hidden() [rows,D], whose rows stand at `position`, position + 1, …, and
  /// stores their keys and values in the cache.
  void forward(std::int64_t rows, std::int64_t position, const RopeTable& rope, KvCache& cache,
               Workspace& workspace) const;
  std::vector<std::string> implementations() const;

 private:
  void normalize(std::int64_t rows, const std::vector<float>& weight, const Linear& next, Workspace& workspace) const;
  /// Queries, keys and values in projected() as the model defines them: scaled, with bias and norm. Leaves them alone
  /// where the family has neither; then the row's scale is still to be applied.
  void finish_projection(std::int64_t rows, Workspace& workspace) const;
  float projection_scale(std::int64_t row, Workspace& workspace) const;
  void store_keys_and_values(std::int64_t rows, std::int64_t position, const RopeTable& rope, KvCache& cache,
                             Workspace& workspace) const;
  void attend_rows(std::int64_t rows, std::int64_t position, const RopeTable& rope, const KvCache& cache,
                   Workspace& workspace) const;
  void activate(std::int64_t rows, Workspace& workspace) const;
  void project_back(std::int64_t rows, const Linear& linear, const std::vector<float>& bias,
                    Workspace& workspace) const;

  std::int64_t index_, heads_, kv_heads_, head_dim_, intermediate_size_, window_;
  float epsilon_;
  std::vector<float> attention_norm_, feed_forward_norm_;  // [D]
  std::vector<float> query_norm_, key_norm_;               // [head_dim], or empty
  std::vector<float> qkv_bias_, o_bias_;                   // [(H + 2K) · head_dim] and [D], or empty
  Linear qkv_;                                             // [(H + 2K) · head_dim, D]
  Linear o_;                                               // [D, H · head_dim]
  Linear gate_up_;                                         // [2F, D]
  Linear down_;                                            // [D, F]
};

}  // namespace retort::runtime
