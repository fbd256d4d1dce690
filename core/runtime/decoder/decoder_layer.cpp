// See decoder_layer.h.
#include "runtime/decoder/decoder_layer.h"

#include <algorithm>

#include "runtime/decoder/weights.h"
#include "runtime/kernels/attention.h"
#include "runtime/kernels/parallel.h"
#include "runtime/kernels/vector_kernels.h"

namespace retort::runtime {
namespace {

std::string layer_name(std::int64_t index) {
  return "model.layers." + std::to_string(index);
}

std::vector<float> norm_of_layer(const model::ModelFolder& folder, std::int64_t index, const std::string& name) {
  return norm_weight(folder, layer_name(index) + "." + name);
}

/// Those of several projections one after the other.
std::vector<float> biases(const model::ModelFolder& folder, std::int64_t index,
                          std::initializer_list<const char*> names) {
  std::vector<float> all;
  for (const char* name : names) {
    const model::StoredTensor& tensor = folder.tensor(layer_name(index) + ".self_attn." + name + ".bias");
    const std::vector<float> values = finite_f32(tensor, folder.path().string());
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

}  // namespace

DecoderLayer::DecoderLayer(const model::ModelFolder& folder, std::int64_t index, MatmulPool& pool)
    : index_(index),
      heads_(folder.config().heads),
      kv_heads_(folder.config().kv_heads),
      head_dim_(folder.config().head_dim),
      intermediate_size_(folder.config().intermediate_size),
      window_(folder.config().window(index)),
      epsilon_(static_cast<float>(folder.config().rms_norm_epsilon)),
      temperature_(static_cast<float>(1.0 / folder.config().attention_divisor())),
      activation_(folder.config().activation),
      qkv_(pool, read_fused(folder, layer_name(index) + ".self_attn", {"q_proj", "k_proj", "v_proj"})),
      o_(pool, read_fused(folder, layer_name(index) + ".self_attn", {"o_proj"})),
      gate_up_(pool, read_fused(folder, layer_name(index) + ".mlp", {"gate_proj", "up_proj"})),
      down_(pool, read_fused(folder, layer_name(index) + ".mlp", {"down_proj"})) {
  read_vectors(folder);
}

void DecoderLayer::read_vectors(const model::ModelFolder& folder) {
  const model::ModelConfig& config = folder.config();
  attention_norm_ = norm_of_layer(folder, index_, "input_layernorm");
  feed_forward_norm_ = norm_of_layer(folder, index_, config.feed_forward_norm());
  if (config.block_output_norm) {
    attention_output_norm_ = norm_of_layer(folder, index_, "post_attention_layernorm");
    feed_forward_output_norm_ = norm_of_layer(folder, index_, "post_feedforward_layernorm");
  }
  if (config.input_bias) qkv_bias_ = biases(folder, index_, {"q_proj", "k_proj", "v_proj"});
  if (config.output_bias) o_bias_ = biases(folder, index_, {"o_proj"});
  if (!config.query_key_norm) return;
  query_norm_ = norm_of_layer(folder, index_, "self_attn.q_norm");
  key_norm_ = norm_of_layer(folder, index_, "self_attn.k_norm");
}

void DecoderLayer::update(const model::ModelFolder& folder) {
  const std::string attention = layer_name(index_) + ".self_attn", feed_forward = layer_name(index_) + ".mlp";
  qkv_.repack(read_fused(folder, attention, {"q_proj", "k_proj", "v_proj"}));
  o_.repack(read_fused(folder, attention, {"o_proj"}));
  gate_up_.repack(read_fused(folder, feed_forward, {"gate_proj", "up_proj"}));
  down_.repack(read_fused(folder, feed_forward, {"down_proj"}));
  read_vectors(folder);
}

std::int64_t DecoderLayer::longest_run(const model::ModelConfig& config) {
  return std::max<std::int64_t>(1, kQueryTile / (config.heads / config.kv_heads));
}

void DecoderLayer::forward(const Pass& pass, Wanted wanted, const RopeTable& rope, KvCache& cache,
                           Workspace& workspace) const {
  const std::int64_t rows = pass.rows();
  qkv_.run(rows, workspace.input(), workspace.projected(), [&] { normalize(rows, attention_norm_, qkv_, workspace); });
  const auto store = [&] {
    finish_projection(rows, workspace);
    store_keys_and_values(pass, rope, cache, workspace);
  };
  if (wanted == Wanted::nothing) return store();
  const bool last = wanted == Wanted::last_row && rows > 1;
  const RowRun first_row{0, 1};
  const Pass rest = last ? Pass{pass.places.last(1), {&first_row, 1}} : pass;
  // One row that looks at few positions is attended while the other threads fetch o's weights.
  const bool beside = rows == 1 && attention_work(pass) < kParallelWork;
  if (!beside) {
    store();
    if (last) keep_row(rows - 1, workspace);
    attend_rows(rest, rope, cache, workspace);
  }
  const std::int64_t left = rest.rows();
  o_.run(left, workspace.input(), workspace.projected(), [&] {
    if (beside) {
      store();
      attend_rows(rest, rope, cache, workspace);
    }
    finish_attention(left, workspace);
  });
  gate_up_.run(left, workspace.input(), workspace.projected(), [&] {
    add_back(left, o_, o_bias_, attention_output_norm_, workspace);
    normalize(left, feed_forward_norm_, gate_up_, workspace);
  });
  down_.run(left, workspace.input(), workspace.projected(), [&] { activate(left, workspace); });
  add_back(left, down_, {}, feed_forward_output_norm_, workspace);
}

void DecoderLayer::keep_row(std::int64_t row, Workspace& workspace) const {
  std::copy_n(workspace.projected() + row * qkv_.out(), qkv_.out(), workspace.projected());
  std::copy_n(workspace.hidden() + row * qkv_.in(), qkv_.in(), workspace.hidden());
  workspace.input().row_scales[0] = workspace.input().row_scales[row];
}

void DecoderLayer::normalize(std::int64_t rows, const std::vector<float>& weight, const Linear& next,
                             Workspace& workspace) const {
  const std::int64_t width = next.in();
  parallel_for(rows, rows * width, [&](std::int64_t row, std::int64_t) {
    const float maximum = rms_norm(workspace.hidden() + row * width, weight.data(), width, epsilon_,
                                   workspace.input().values + row * width);
    workspace.finish_row(next, row, rows, maximum);
  });
}

void DecoderLayer::finish_projection(std::int64_t rows, Workspace& workspace) const {
  if (qkv_bias_.empty() && query_norm_.empty()) return;
  parallel_for(rows, rows * qkv_.out(), [&](std::int64_t row, std::int64_t) {
    float* projected = workspace.projected() + row * qkv_.out();
    scale_row(workspace.input().row_scales[row], qkv_.out(), projected);
    if (!qkv_bias_.empty()) add_scaled(qkv_bias_.data(), 1.0f, qkv_.out(), projected);
    if (query_norm_.empty()) return;
    for (std::int64_t head = 0; head < heads_ + kv_heads_; ++head) {
      float* values = projected + head * head_dim_;
      const std::vector<float>& weight = head < heads_ ? query_norm_ : key_norm_;
      rms_norm(values, weight.data(), head_dim_, epsilon_, values);
    }
  });
}

float DecoderLayer::projection_scale(std::int64_t row, Workspace& workspace) const {
  const bool finished = !qkv_bias_.empty() || !query_norm_.empty();
  return finished ? 1.0f : workspace.input().row_scales[row];
}

void DecoderLayer::store_keys_and_values(const Pass& pass, const RopeTable& rope, KvCache& cache,
                                         Workspace& workspace) const {
  const std::int64_t elements = 2 * pass.rows() * kv_heads_ * head_dim_;
  parallel_for(pass.rows(), elements, [&](std::int64_t row, std::int64_t thread) {
    const RowPlace& place = pass.places[static_cast<std::size_t>(row)];
    const float scale = projection_scale(row, workspace);
    const float* keys = workspace.projected() + row * qkv_.out() + heads_ * head_dim_;
    const float* values = keys + kv_heads_ * head_dim_;
    float* key = workspace.heads(thread);
    for (std::int64_t head = 0; head < kv_heads_; ++head) {
      rotate(keys + head * head_dim_, rope.cosine(place.position), rope.sine(place.position), head_dim_, scale, key);
      cache.store(index_, head, place, key, values + head * head_dim_, scale);
    }
  });
}

std::int64_t DecoderLayer::attention_work(const Pass& pass) const {
  std::int64_t positions = 0;
  for (const RowPlace& place : pass.places) positions += place.sees;
  return 2 * positions * heads_ * head_dim_;
}

void DecoderLayer::attend_rows(const Pass& pass, const RopeTable& rope, const KvCache& cache,
                               Workspace& workspace) const {
  const std::int64_t group = heads_ / kv_heads_;
  const std::int64_t tiles = (group + kQueryTile - 1) / kQueryTile;  // of one KV head
  const auto runs = static_cast<std::int64_t>(pass.runs.size());
  parallel_for(runs * kv_heads_ * tiles, attention_work(pass), [&](std::int64_t i, std::int64_t thread) {
    const RowRun& run = pass.runs[static_cast<std::size_t>(i / (kv_heads_ * tiles))];
    const std::int64_t first = i % tiles * kQueryTile;
    attend_run(pass, run, i / tiles % kv_heads_, first, std::min(kQueryTile, group - first), rope, cache, workspace,
               thread);
  });
}

void DecoderLayer::finish_attention(std::int64_t rows, Workspace& workspace) const {
  parallel_for(rows, rows * o_.in(), [&](std::int64_t row, std::int64_t) {
    const float maximum = o_.quantized() ? max_abs(workspace.input().values + row * o_.in(), o_.in()) : 0.0f;
    workspace.finish_row(o_, row, rows, maximum);
  });
}

void DecoderLayer::attend_run(const Pass& pass, const RowRun& run, std::int64_t head, std::int64_t first,
                              std::int64_t count, const RopeTable& rope, const KvCache& cache, Workspace& workspace,
                              std::int64_t thread) const {
  QueryTile tile;
  for (std::int64_t row = run.first; row < run.first + run.count; ++row) {
    const RowPlace& place = pass.places[static_cast<std::size_t>(row)];
    const std::int64_t at = place.position;
    const float scale = projection_scale(row, workspace) * temperature_;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t query_head = head * (heads_ / kv_heads_) + first + i;
      const auto slot = static_cast<std::size_t>(tile.count++);
      float* query = workspace.heads(thread) + static_cast<std::int64_t>(slot) * head_dim_;
      rotate(workspace.projected() + row * qkv_.out() + query_head * head_dim_, rope.cosine(at), rope.sine(at),
             head_dim_, scale, query);
      tile.queries[slot] = query;
      tile.ranges[slot] = {window_ > 0 ? std::max<std::int64_t>(0, at + 1 - window_) : 0, place.sees};
      tile.out[slot] = workspace.input().values + row * o_.in() + query_head * head_dim_;
    }
  }
  attend(tile, cache, index_, head, pass.places[static_cast<std::size_t>(run.first)].blocks,
         workspace.attention(thread));
}

void DecoderLayer::activate(std::int64_t rows, Workspace& workspace) const {
  // The exponential makes an element some five times as dear as elsewhere.
  parallel_for(rows, 5 * rows * intermediate_size_, [&](std::int64_t row, std::int64_t) {
    const float* gate = workspace.projected() + row * gate_up_.out();
    const auto gated = activation_ == model::Activation::gelu_tanh ? geglu : swiglu;
    const float maximum = gated(gate, gate + intermediate_size_, intermediate_size_, workspace.input().row_scales[row],
                                workspace.input().values + row * down_.in());
    workspace.finish_row(down_, row, rows, maximum);
  });
}

void DecoderLayer::add_back(std::int64_t rows, const Linear& linear, const std::vector<float>& bias,
                            const std::vector<float>& norm, Workspace& workspace) const {
  const std::int64_t width = linear.out();
  parallel_for(rows, rows * width, [&](std::int64_t row, std::int64_t) {
    float* projected = workspace.projected() + row * width;
    float* hidden = workspace.hidden() + row * width;
    const float scale = workspace.input().row_scales[row];
    if (norm.empty()) {
      add_scaled(projected, scale, width, hidden);
      if (!bias.empty()) add_scaled(bias.data(), 1.0f, width, hidden);
      return;
    }
    scale_row(scale, width, projected);
    if (!bias.empty()) add_scaled(bias.data(), 1.0f, width, projected);
    rms_norm(projected, norm.data(), width, epsilon_, projected);
    add_scaled(projected, 1.0f, width, hidden);
  });
}

std::vector<std::string> DecoderLayer::implementations() const {
  return {qkv_.implementation(), o_.implementation(), gate_up_.implementation(), down_.implementation()};
}

}  // namespace retort::runtime
