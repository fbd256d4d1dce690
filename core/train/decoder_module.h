// The decoder of the Llama, Qwen and Gemma 3 families on LibTorch, for training and as the reference of the runtime.
// Internal to core/train. B batch, T time, D hidden, F feed-forward, H heads, K kv heads, V vocabulary, C cache length.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/model_config.h"
#include "train/libtorch.h"

namespace retort::train {

/// Keys and values of B sequences, each with its own length.
struct ReferenceCache {
  std::vector<torch::Tensor> keys, values;  ///< one [B,K,C,head_dim] per layer
  torch::Tensor lengths;                    ///< [B] int64: positions filled
};

/// Where an activation is looked at for calibration.
enum class Site {
  layer_input,          ///< [B,T,D]
  attention_input,      ///< [B,T,D] after the norm
  attention_output,     ///< [B,T,H·head_dim] before o_proj
  feed_forward_input,   ///< [B,T,D] after the norm
  feed_forward_hidden,  ///< [B,T,F] silu(gate)·up, or with the family's own function
  layer_output,         ///< [B,T,D]
  head_input,           ///< [B,T,D] after the final norm; layer is −1
};
using Observer = std::function<void(Site, std::int64_t layer, const torch::Tensor&)>;

/// Dropout of one forward pass (Srivastava et al. 2014): on the embedding and on each residual branch. What it drops
/// depends on the seed and the shape of the ids alone, so passes may run in threads.
struct Dropout {
  double probability = 0;  ///< 0 = off
  std::uint64_t seed = 0;
};

/// What a pass over part `part` of the batch of step `step` drops.
Dropout dropout_of(double probability, std::uint64_t seed, std::int64_t step, std::size_t part);

/// What stands beside a matrix W [O,I]: x·Wᵀ + scale·(x·Aᵀ)·Bᵀ (LoRA, arXiv 2106.09685, eq. 3).
struct Adapter {
  torch::Tensor a, b;  ///< [r,I], [O,r]
  double scale = 1;
};

/// What takes the place of a matrix wherever the model computes with it, and what else of it is learnt.
struct WeightForm {
  std::function<torch::Tensor(const torch::Tensor& weight)> of;
  std::vector<torch::Tensor> learnt;
};

class DecoderModule {
 public:
  /// Random weights that depend on `seed` alone: normal with 1/sqrt(fan-in), residual projections divided by sqrt(2L).
  DecoderModule(const model::ModelConfig& config, std::uint64_t seed);

  const model::ModelConfig& config() const { return config_; }
  torch::Device device() const { return embedding_.device(); }
  /// Weights and all else that it computes with go there; they are other tensors then. Before adapt() and use_form(),
  /// whose tensors the caller makes on the device.
  void to(torch::Device device);
  /// Every parameter under its Hugging Face name, in model::tensor_shapes' order.
  const std::vector<std::pair<std::string, torch::Tensor>>& weights() const { return weights_; }
  std::vector<torch::Tensor> parameters() const;
  torch::Tensor& weight(const std::string& name);
  /// Puts `adapter` beside the matrix of this name; everything but activation() computes with it.
  void adapt(const std::string& name, Adapter adapter);
  /// The matrix of this name is used in `form`, the embedding and the head too; activation() takes it as it is.
  void use_form(const std::string& name, WeightForm form);
  /// The weight, W + scale·B·A where it has an adapter, in its form: what an ordinary model of the same function has.
  torch::Tensor merged_weight(const std::string& name) const;

  Observer observer;               ///< may be empty
  bool recomputes_layers = false;  ///< keep only the layers' inputs for the backward pass (recomputation.h)

  /// ids [B,T] → [B,T,D] after the final norm. Sequences are padded on the right; attention is causal, but for prompts
  /// that config().prompt_end_token ends, so padding changes nothing before it. Without a cache positions count from 0.
  /// `layer_outputs`, where given, gets the output of every layer, [L] of [B,T,D].
  torch::Tensor hidden(const torch::Tensor& ids, const Dropout& dropout = {},
                       std::vector<torch::Tensor>* layer_outputs = nullptr);
  /// The same for sequences that follow one another without padding: ids [ΣT], `lengths` sum to ΣT → [1,ΣT,D].
  torch::Tensor hidden_packed(const torch::Tensor& ids, const std::vector<std::int64_t>& lengths,
                              const Dropout& dropout = {}, std::vector<torch::Tensor>* layer_outputs = nullptr);
  /// One layer from its input x [B,T,D], positions from 0, as far as `until`: what hidden() shows an observer there.
  /// An observer sees what is on the way. `both_ways`: read_both_ways() of the ids.
  torch::Tensor activation(const torch::Tensor& x, std::int64_t layer, Site until,
                           const torch::Tensor& both_ways) const;
  /// How many positions of each sequence of ids [B,T] see each other all, [B] int64; undefined where the model reads
  /// from left to right.
  torch::Tensor read_both_ways(const torch::Tensor& ids) const;
  /// x [B,T,D], the last layer's output → [B,T,D] the head's input.
  torch::Tensor final_norm(const torch::Tensor& x) const { return norm(x, final_norm_); }
  /// ids […] → the first layer's input […,D].
  torch::Tensor embed(const torch::Tensor& ids) const;
  /// One more token for every sequence: ids [B] are written at cache.lengths, which grow by one. → [B,D]
  torch::Tensor hidden_step(const torch::Tensor& ids, ReferenceCache& cache);
  /// The same as hidden(), and fills `cache` (made here, with room for `capacity` positions). `lengths` [B].
  torch::Tensor hidden_into_cache(const torch::Tensor& ids, const torch::Tensor& lengths, std::int64_t capacity,
                                  ReferenceCache& cache);
  /// rows [N,D] → logits [N,V] in f32.
  torch::Tensor logits(const torch::Tensor& rows);

 private:
  struct Layer {
    torch::Tensor input_norm, q, k, v, o, feed_forward_norm, gate, up, down;
    /// Undefined where the family has none.
    torch::Tensor q_bias, k_bias, v_bias, o_bias, q_norm, k_norm, attention_output_norm, feed_forward_output_norm;
  };
  /// By 1 + weight where the family does so.
  torch::Tensor norm(const torch::Tensor& x, const torch::Tensor& weight) const;
  /// What a block adds to the residual stream: x, normed where `weight` is defined.
  torch::Tensor output(const torch::Tensor& x, const torch::Tensor& weight) const {
    return weight.defined() ? norm(x, weight) : x;
  }
  torch::Tensor gated(const torch::Tensor& gate, const torch::Tensor& up) const;
  /// Cosines and sines of every position, both halves alike: [max_positions, head_dim] each.
  struct Rotation {
    torch::Tensor cosine, sine;
  };
  Rotation rotation(const std::vector<double>& frequencies, double factor) const;
  /// That of layer `index`, of the positions [0, time), or of those that `positions` lists.
  Rotation first(std::int64_t index, std::int64_t time) const;
  Rotation at(std::int64_t index, const torch::Tensor& positions) const;
  /// x·weightᵀ + bias, with the weight's adapter.
  torch::Tensor linear(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias = {}) const;
  /// h [B,T,D] through a projection → [B,T,heads,head_dim]; `bias` may be undefined.
  torch::Tensor heads_of(const torch::Tensor& h, const torch::Tensor& weight, const torch::Tensor& bias,
                         std::int64_t heads) const;
  /// Queries, keys and values of h, the first two normed where the family does so, not yet rotated.
  struct Projected {
    torch::Tensor q, k, v;  ///< [B,T,H,head_dim], [B,T,K,head_dim] twice
  };
  Projected project(const torch::Tensor& h, const Layer& layer) const;
  /// h [B,T,D] → [B,T,H·head_dim]; every position sees those before it, and the first `both_ways` each other.
  torch::Tensor full_attention(const torch::Tensor& h, const Layer& layer, std::int64_t index,
                               const torch::Tensor& both_ways) const;
  /// One position a sequence against its cache: q [B,1,H,head_dim], k and v [B,K,S,head_dim], visible [B,1,1,S] what
  /// each sequence may look at → [B,1,H·head_dim].
  torch::Tensor attend(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                       const torch::Tensor& visible) const;
  torch::Tensor feed_forward(const torch::Tensor& x, const Layer& layer, std::int64_t index);
  using Attention = std::function<torch::Tensor(const torch::Tensor& h, const Layer&, std::int64_t index)>;
  class Dropper;
  torch::Tensor run_layer(const torch::Tensor& x, std::int64_t index, const Attention& attention, Dropper& drop);
  torch::Tensor run_layers(torch::Tensor x, const Attention& attention, const Dropout& dropout = {},
                           std::vector<torch::Tensor>* layer_outputs = nullptr);
  std::vector<torch::Tensor> learnt_of(const Layer& layer) const;
  torch::Tensor used(const torch::Tensor& weight) const;
  void link_layers();
  void observe(Site site, std::int64_t layer, const torch::Tensor& activation) const {
    if (observer) observer(site, layer, activation);
  }

  model::ModelConfig config_;
  std::vector<std::pair<std::string, torch::Tensor>> weights_;
  std::unordered_map<const c10::TensorImpl*, Adapter> adapters_;  ///< by their matrix
  std::unordered_map<const c10::TensorImpl*, WeightForm> forms_;  ///< likewise
  torch::Tensor embedding_, final_norm_, head_;
  std::vector<Layer> layers_;
  Rotation rotation_, local_rotation_;  ///< the second of layers that turn on a base of their own; undefined: none
};

}  // namespace retort::train
