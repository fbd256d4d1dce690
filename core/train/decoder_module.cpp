#include "train/decoder_module.h"

#include <cmath>
#include <optional>
#include <stdexcept>

#include "model/model_folder.h"
#include "train/causal_attention.h"
#include "train/fused_operations.h"
#include "train/recomputation.h"
#include "train/sequences.h"

namespace retort::train {
namespace {

using torch::Tensor;

/// [B,K,T,head_dim] → [B,H,T,head_dim]: every kv head serves H/K query heads in a row.
Tensor repeat_kv(const Tensor& x, std::int64_t times) {
  if (times == 1) return x;
  return x.unsqueeze(2)
      .expand({x.size(0), x.size(1), times, x.size(2), x.size(3)})
      .reshape({x.size(0), x.size(1) * times, x.size(2), x.size(3)});
}

}  // namespace

/// Sets elements to zero and scales the others up, so that the mean stays.
class DecoderModule::Dropper {
 public:
  explicit Dropper(const Dropout& dropout) : keep_(1.0 - dropout.probability) {
    if (keep_ < 1.0) generator_ = at::make_generator<at::CPUGeneratorImpl>(dropout.seed);
  }
  Tensor operator()(const Tensor& x) {
    if (keep_ >= 1.0) return x;
    // Drawn on the CPU: what is dropped does not depend on the device.
    const Tensor kept = torch::empty_like(x, x.options().requires_grad(false).device(torch::kCPU));
    return x * kept.bernoulli_(keep_, generator_).div_(keep_).to(x.device());
  }
  /// One that goes on to drop what this one would.
  Dropper copy() const {
    Dropper other = *this;
    if (generator_) other.generator_ = generator_->clone();
    return other;
  }

 private:
  double keep_;
  std::optional<at::Generator> generator_;
};

Dropout dropout_of(double probability, std::uint64_t seed, std::int64_t step, std::size_t part) {
  constexpr std::uint64_t own_streams = 0x64726f70;  // other draws of a training use the seed as it is
  SeededSequence stream(seed ^ own_streams, (static_cast<std::uint64_t>(step) << 16) + part);
  return {probability, stream.next()};
}

DecoderModule::DecoderModule(const model::ModelConfig& config, std::uint64_t seed) : config_(config) {
  torch::NoGradGuard no_grad;
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  for (const auto& [name, shape] : model::tensor_shapes(config)) {
    Tensor weight;
    if (name.ends_with("norm.weight")) {
      weight = torch::full(shape, 1.0 - config.norm_offset());
    } else if (name.ends_with(".bias")) {
      weight = torch::zeros(shape);
    } else {
      double deviation = 1.0 / std::sqrt(static_cast<double>(shape[1]));
      if (name.ends_with("o_proj.weight") || name.ends_with("down_proj.weight"))
        deviation /= std::sqrt(2.0 * static_cast<double>(config.layers));
      weight = torch::empty(shape).normal_(0.0, deviation, generator);
    }
    weights_.emplace_back(name, weight.set_requires_grad(true));
  }
  link_layers();

  rotation_ = rotation(model::rope_frequencies(config.rope_scaling, config.rope_theta, config.head_dim),
                       config.rope_scaling.attention_factor);
  if (config.local_rope_theta > 0)
    local_rotation_ = rotation(model::rope_frequencies({}, config.local_rope_theta, config.head_dim), 1.0);
}

void DecoderModule::to(torch::Device device) {
  if (device == this->device()) return;
  if (!adapters_.empty() || !forms_.empty())
    throw std::logic_error("a decoder with adapters or forms cannot change its device: move it first");
  for (auto& [name, weight] : weights_) weight = weight.detach().to(device).set_requires_grad(weight.requires_grad());
  layers_.clear();
  link_layers();
  for (Rotation* turn : {&rotation_, &local_rotation_})
    if (turn->cosine.defined()) *turn = {turn->cosine.to(device), turn->sine.to(device)};
}

DecoderModule::Rotation DecoderModule::rotation(const std::vector<double>& frequencies, double factor) const {
  const Tensor angles =
      torch::outer(torch::arange(config_.max_positions, torch::kFloat64), torch::tensor(frequencies, torch::kFloat64));
  const Tensor both_halves = torch::cat({angles, angles}, -1);
  return {(both_halves.cos() * factor).to(torch::kFloat32), (both_halves.sin() * factor).to(torch::kFloat32)};
}

DecoderModule::Rotation DecoderModule::first(std::int64_t index, std::int64_t time) const {
  const Rotation& all = config_.turns_locally(index) ? local_rotation_ : rotation_;
  return {all.cosine.narrow(0, 0, time), all.sine.narrow(0, 0, time)};
}

DecoderModule::Rotation DecoderModule::at(std::int64_t index, const Tensor& positions) const {
  const Rotation& all = config_.turns_locally(index) ? local_rotation_ : rotation_;
  return {all.cosine.index_select(0, positions), all.sine.index_select(0, positions)};
}

void DecoderModule::link_layers() {
  embedding_ = weight("model.embed_tokens.weight");
  final_norm_ = weight("model.norm.weight");
  head_ = config_.tie_word_embeddings ? embedding_ : weight("lm_head.weight");
  for (std::int64_t i = 0; i < config_.layers; ++i) {
    const std::string prefix = "model.layers." + std::to_string(i) + ".";
    layers_.push_back({weight(prefix + "input_layernorm.weight"), weight(prefix + "self_attn.q_proj.weight"),
                       weight(prefix + "self_attn.k_proj.weight"), weight(prefix + "self_attn.v_proj.weight"),
                       weight(prefix + "self_attn.o_proj.weight"),
                       weight(prefix + config_.feed_forward_norm() + ".weight"),
                       weight(prefix + "mlp.gate_proj.weight"), weight(prefix + "mlp.up_proj.weight"),
                       weight(prefix + "mlp.down_proj.weight")});
    Layer& layer = layers_.back();
    if (config_.input_bias) {
      layer.q_bias = weight(prefix + "self_attn.q_proj.bias");
      layer.k_bias = weight(prefix + "self_attn.k_proj.bias");
      layer.v_bias = weight(prefix + "self_attn.v_proj.bias");
    }
    if (config_.output_bias) layer.o_bias = weight(prefix + "self_attn.o_proj.bias");
    if (config_.query_key_norm) {
      layer.q_norm = weight(prefix + "self_attn.q_norm.weight");
      layer.k_norm = weight(prefix + "self_attn.k_norm.weight");
    }
    if (config_.block_output_norm) {
      layer.attention_output_norm = weight(prefix + "post_attention_layernorm.weight");
      layer.feed_forward_output_norm = weight(prefix + "post_feedforward_layernorm.weight");
    }
  }
}

Tensor& DecoderModule::weight(const std::string& name) {
  for (auto& [known, tensor] : weights_)
    if (known == name) return tensor;
  throw std::invalid_argument("the model has no weight named " + name);
}

void DecoderModule::adapt(const std::string& name, Adapter adapter) {
  adapters_[weight(name).unsafeGetTensorImpl()] = std::move(adapter);
}

void DecoderModule::use_form(const std::string& name, WeightForm form) {
  forms_[weight(name).unsafeGetTensorImpl()] = std::move(form);
}

Tensor DecoderModule::used(const Tensor& weight) const {
  if (forms_.empty()) return weight;
  const auto found = forms_.find(weight.unsafeGetTensorImpl());
  return found == forms_.end() ? weight : found->second.of(weight);
}

Tensor DecoderModule::merged_weight(const std::string& name) const {
  for (const auto& [known, plain] : weights_) {
    if (known != name) continue;
    const auto found = adapters_.find(plain.unsafeGetTensorImpl());
    if (found == adapters_.end()) return used(plain);
    return used(plain) + found->second.b.matmul(found->second.a) * found->second.scale;
  }
  throw std::invalid_argument("the model has no weight named " + name);
}

Tensor DecoderModule::linear(const Tensor& x, const Tensor& weight, const Tensor& bias) const {
  const Tensor plain = torch::linear(x, used(weight), bias);
  if (adapters_.empty()) return plain;
  const auto found = adapters_.find(weight.unsafeGetTensorImpl());
  if (found == adapters_.end()) return plain;
  return plain + torch::linear(torch::linear(x, found->second.a), found->second.b) * found->second.scale;
}

std::vector<Tensor> DecoderModule::parameters() const {
  std::vector<Tensor> list;
  for (const auto& entry : weights_) list.push_back(entry.second);
  return list;
}

Tensor DecoderModule::norm(const Tensor& x, const Tensor& weight) const {
  return rms_norm(x, config_.norm_adds_one ? weight + 1.0 : weight, config_.rms_norm_epsilon);
}

Tensor DecoderModule::gated(const Tensor& gate, const Tensor& up) const {
  return config_.activation == model::Activation::gelu_tanh ? torch::gelu(gate, "tanh") * up : swiglu(gate, up);
}

Tensor DecoderModule::embed(const Tensor& ids) const {
  const Tensor rows = torch::embedding(used(embedding_), ids);
  return config_.embedding_scale == model::EmbeddingScale::none ? rows : rows * config_.embedding_factor();
}

Tensor DecoderModule::feed_forward(const Tensor& x, const Layer& layer, std::int64_t index) {
  const Tensor h = norm(x, layer.feed_forward_norm);
  observe(Site::feed_forward_input, index, h);
  const Tensor hidden = gated(linear(h, layer.gate), linear(h, layer.up));
  observe(Site::feed_forward_hidden, index, hidden);
  return output(linear(hidden, layer.down), layer.feed_forward_output_norm);
}

Tensor DecoderModule::run_layer(const Tensor& x, std::int64_t index, const Attention& attention, Dropper& drop) {
  const Layer& layer = layers_[static_cast<std::size_t>(index)];
  observe(Site::layer_input, index, x);
  const Tensor h = norm(x, layer.input_norm);
  observe(Site::attention_input, index, h);
  const Tensor mixed = attention(h, layer, index);
  observe(Site::attention_output, index, mixed);
  const Tensor middle = x + drop(output(linear(mixed, layer.o, layer.o_bias), layer.attention_output_norm));
  const Tensor out = middle + drop(feed_forward(middle, layer, index));
  observe(Site::layer_output, index, out);
  return out;
}

std::vector<Tensor> DecoderModule::learnt_of(const Layer& layer) const {
  std::vector<Tensor> learnt;
  for (const Tensor& weight :
       {layer.input_norm, layer.q, layer.k, layer.v, layer.o, layer.feed_forward_norm, layer.gate, layer.up, layer.down,
        layer.q_bias, layer.k_bias, layer.v_bias, layer.o_bias, layer.q_norm, layer.k_norm, layer.attention_output_norm,
        layer.feed_forward_output_norm}) {
    if (!weight.defined()) continue;
    if (weight.requires_grad()) learnt.push_back(weight);
    const auto found = adapters_.find(weight.unsafeGetTensorImpl());
    if (found != adapters_.end()) learnt.insert(learnt.end(), {found->second.a, found->second.b});
    const auto form = forms_.find(weight.unsafeGetTensorImpl());
    if (form != forms_.end()) learnt.insert(learnt.end(), form->second.learnt.begin(), form->second.learnt.end());
  }
  return learnt;
}

Tensor DecoderModule::run_layers(Tensor x, const Attention& attention, const Dropout& dropout,
                                 std::vector<Tensor>* layer_outputs) {
  Dropper drop(dropout);
  x = drop(x);
  for (std::int64_t i = 0; i < config_.layers; ++i) {
    if (recomputes_layers && at::GradMode::is_enabled()) {
      const Dropper begin = drop.copy();
      x = recomputed(
          x, learnt_of(layers_[static_cast<std::size_t>(i)]),
          [&](const Tensor& input) { return run_layer(input, i, attention, drop); },
          [this, i, attention, begin](const Tensor& input) {
            Dropper again = begin.copy();
            return run_layer(input, i, attention, again);
          });
    } else {
      x = run_layer(x, i, attention, drop);
    }
    if (layer_outputs != nullptr) layer_outputs->push_back(x);
  }
  const Tensor out = norm(x, final_norm_);
  observe(Site::head_input, -1, out);
  return out;
}

Tensor DecoderModule::heads_of(const Tensor& h, const Tensor& weight, const Tensor& bias, std::int64_t heads) const {
  return linear(h, weight, bias).view({h.size(0), h.size(1), heads, config_.head_dim});
}

DecoderModule::Projected DecoderModule::project(const Tensor& h, const Layer& layer) const {
  Projected result{heads_of(h, layer.q, layer.q_bias, config_.heads),
                   heads_of(h, layer.k, layer.k_bias, config_.kv_heads),
                   heads_of(h, layer.v, layer.v_bias, config_.kv_heads)};
  if (layer.q_norm.defined()) {
    result.q = norm(result.q, layer.q_norm);
    result.k = norm(result.k, layer.k_norm);
  }
  // Attention divides by √head_dim.
  const double usual = std::sqrt(static_cast<double>(config_.head_dim));
  if (config_.attention_divisor() != usual) result.q = result.q * (usual / config_.attention_divisor());
  return result;
}

Tensor DecoderModule::attend(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& visible) const {
  const std::int64_t times = config_.heads / config_.kv_heads;
  const Tensor mixed =
      torch::scaled_dot_product_attention(q.transpose(1, 2), repeat_kv(k, times).to(q.scalar_type()),
                                          repeat_kv(v, times).to(q.scalar_type()), visible, 0.0, false);
  return mixed.transpose(1, 2).reshape({q.size(0), q.size(1), config_.heads * config_.head_dim});
}

Tensor DecoderModule::read_both_ways(const Tensor& ids) const {
  if (config_.prompt_end_token < 0) return {};
  const Tensor found = ids == config_.prompt_end_token;
  // argmax takes the first of equals.
  return torch::where(found.any(1), found.to(torch::kInt32).argmax(1) + 1, torch::zeros({ids.size(0)}, ids.options()));
}

Tensor DecoderModule::full_attention(const Tensor& h, const Layer& layer, std::int64_t index,
                                     const Tensor& both_ways) const {
  const auto [cosine, sine] = first(index, h.size(1));
  const Projected projected = project(h, layer);
  return causal_attention(rotate(projected.q, cosine, sine), rotate(projected.k, cosine, sine), projected.v,
                          config_.window(index), both_ways);
}

Tensor DecoderModule::activation(const Tensor& x, std::int64_t index, Site until, const Tensor& both_ways) const {
  const Layer& layer = layers_.at(static_cast<std::size_t>(index));
  const auto seen = [&](Site site, const Tensor& a) {
    observe(site, index, a);
    return until == site;
  };
  if (seen(Site::layer_input, x)) return x;
  const Tensor h = norm(x, layer.input_norm);
  if (seen(Site::attention_input, h)) return h;
  const Tensor mixed = full_attention(h, layer, index, both_ways);
  if (seen(Site::attention_output, mixed)) return mixed;
  const Tensor middle = x + output(torch::linear(mixed, layer.o, layer.o_bias), layer.attention_output_norm);
  const Tensor g = norm(middle, layer.feed_forward_norm);
  if (seen(Site::feed_forward_input, g)) return g;
  const Tensor hidden = gated(torch::linear(g, layer.gate), torch::linear(g, layer.up));
  if (seen(Site::feed_forward_hidden, hidden)) return hidden;
  const Tensor out = middle + output(torch::linear(hidden, layer.down), layer.feed_forward_output_norm);
  observe(Site::layer_output, index, out);
  return out;
}

Tensor DecoderModule::hidden(const Tensor& ids, const Dropout& dropout, std::vector<Tensor>* layer_outputs) {
  const auto attention = [this, both_ways = read_both_ways(ids)](const Tensor& h, const Layer& layer,
                                                                 std::int64_t index) {
    return full_attention(h, layer, index, both_ways);
  };
  return run_layers(embed(ids), attention, dropout, layer_outputs);
}

Tensor DecoderModule::hidden_packed(const Tensor& ids, const std::vector<std::int64_t>& lengths, const Dropout& dropout,
                                    std::vector<Tensor>* layer_outputs) {
  std::vector<Tensor> places;
  for (const std::int64_t length : lengths) places.push_back(torch::arange(length, ids.options()));
  const Tensor positions = torch::cat(places);
  std::vector<Tensor> both_ways;
  for (std::int64_t begin = 0; const std::int64_t length : lengths) {
    both_ways.push_back(read_both_ways(ids.narrow(0, begin, length).unsqueeze(0)));
    begin += length;
  }
  const auto attention = [this, positions, lengths, both_ways](const Tensor& h, const Layer& layer,
                                                               std::int64_t index) {
    const auto [cosine, sine] = at(index, positions);
    const Projected projected = project(h, layer);
    const Tensor q = rotate(projected.q, cosine, sine), k = rotate(projected.k, cosine, sine);
    std::vector<Tensor> mixed;
    std::int64_t begin = 0;
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      const std::int64_t length = lengths[i];
      const auto own = [&](const Tensor& x) { return x.narrow(1, begin, length); };
      mixed.push_back(causal_attention(own(q), own(k), own(projected.v), config_.window(index), both_ways[i]));
      begin += length;
    }
    return torch::cat(mixed, 1);
  };
  return run_layers(embed(ids.unsqueeze(0)), attention, dropout, layer_outputs);
}

Tensor DecoderModule::hidden_into_cache(const Tensor& ids, const Tensor& lengths, std::int64_t capacity,
                                        ReferenceCache& cache) {
  const std::int64_t batch = ids.size(0), time = ids.size(1);
  cache = {};
  cache.lengths = lengths.clone();
  const Tensor both_ways = read_both_ways(ids);
  return run_layers(embed(ids), [&](const Tensor& h, const Layer& layer, std::int64_t index) {
    const auto [cosine, sine] = first(index, time);
    const Projected projected = project(h, layer);
    const Tensor q = rotate(projected.q, cosine, sine), k = rotate(projected.k, cosine, sine), v = projected.v;
    for (auto [store, fresh] : {std::pair{&cache.keys, k}, std::pair{&cache.values, v}}) {
      store->push_back(
          torch::zeros({batch, config_.kv_heads, capacity, config_.head_dim}, torch::device(ids.device())));
      store->back().narrow(2, 0, time).copy_(fresh.transpose(1, 2));
    }
    return causal_attention(q, k, v, config_.window(index), both_ways);
  });
}

Tensor DecoderModule::hidden_step(const Tensor& ids, ReferenceCache& cache) {
  const std::int64_t batch = ids.size(0);
  const std::int64_t used = cache.lengths.max().item<std::int64_t>() + 1;
  const Tensor rows = torch::arange(batch, cache.lengths.options());
  // Every sequence stands at its own position: as [1,B,heads,head_dim], rotate() takes the batch for time.
  const auto rotated = [&](const Tensor& x, const Rotation& turn) {
    return rotate(x.transpose(0, 1), turn.cosine, turn.sine).transpose(0, 1);
  };
  const Tensor back = cache.lengths.unsqueeze(1) -
                      torch::arange(used, cache.lengths.options()).unsqueeze(0);  // [B,used] positions behind
  const auto visible = [&](std::int64_t window) {
    const Tensor seen = window > 0 ? (back >= 0).logical_and(back < window) : back >= 0;
    return seen.view({batch, 1, 1, used});
  };
  const Tensor out = run_layers(embed(ids.unsqueeze(1)), [&](const Tensor& h, const Layer& layer, std::int64_t index) {
    const auto i = static_cast<std::size_t>(index);
    const Projected projected = project(h, layer);
    const Rotation turn = at(index, cache.lengths);
    const Tensor q = rotated(projected.q, turn), k = rotated(projected.k, turn), v = projected.v;
    cache.keys[i].index_put_({rows, torch::indexing::Slice(), cache.lengths}, k.squeeze(1));
    cache.values[i].index_put_({rows, torch::indexing::Slice(), cache.lengths}, v.squeeze(1));
    return attend(q, cache.keys[i].narrow(2, 0, used), cache.values[i].narrow(2, 0, used),
                  visible(config_.window(index)));
  });
  cache.lengths = cache.lengths + 1;
  return out.squeeze(1);
}

Tensor DecoderModule::logits(const Tensor& rows) {
  return torch::linear(rows, used(head_)).to(torch::kFloat32);
}

}  // namespace retort::train
