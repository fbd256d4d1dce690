#include "train/compression_pass.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>

#include "train/calibration_batches.h"
#include "train/decoder_module.h"
#include "train/plugin_node.h"
#include "train/site_statistics.h"

namespace retort::train {
namespace {

using torch::Tensor;

/// A tensor that owns `values`.
Tensor owned(std::vector<float> values, const std::vector<std::int64_t>& shape) {
  auto* kept = new std::vector<float>(std::move(values));
  return torch::from_blob(kept->data(), shape, [kept](void*) { delete kept; });
}

/// In f32. The mapped pages that it was read from are let go.
Tensor matrix_of(const model::ModelFolder& source, const std::string& module) {
  const model::LinearWeight weight = source.linear(module);
  Tensor matrix = owned(model::to_f32(weight), {weight.shape[0], weight.shape[1]});
  source.release(*weight.weight, 0, weight.weight->bytes());
  return matrix;
}

/// Layer `index` of the source as a decoder of one layer, without an embedding.
std::unique_ptr<DecoderModule> layer_of(const model::ModelFolder& source, std::int64_t index) {
  model::ModelConfig config = source.config();
  config.layers = config.vocabulary_size = 1;
  config.tie_word_embeddings = true;
  if (!config.sliding_layers.empty()) config.sliding_layers = {source.config().window(index) > 0};
  auto decoder = std::make_unique<DecoderModule>(config, 0);
  torch::NoGradGuard no_grad;
  const std::string alone = "model.layers.0.", there = "model.layers." + std::to_string(index) + ".";
  for (const auto& [name, tensor] : decoder->weights()) {
    if (!name.starts_with(alone)) continue;
    const std::string original = there + name.substr(alone.size());
    Tensor weight = tensor;
    const std::string module = original.substr(0, original.size() - std::string(".weight").size());
    weight.copy_(weight.dim() == 2 ? matrix_of(source, module)
                                   : owned(model::to_f32(source.tensor(original)), weight.sizes().vec()));
  }
  return decoder;
}

Site observed_place(SitePlace place) {
  switch (place) {
    case SitePlace::attention_input:
      return Site::attention_input;
    case SitePlace::attention_output:
      return Site::attention_output;
    case SitePlace::feed_forward_input:
      return Site::feed_forward_input;
    case SitePlace::feed_forward_hidden:
      return Site::feed_forward_hidden;
    case SitePlace::embedding:
    case SitePlace::head:
      break;
  }
  throw std::logic_error("the embedding and the head lie in no layer");
}

/// The pass at work.
class Pass {
 public:
  Pass(const model::ModelFolder& source, const CalibrationSet& calibration, CompressionMethod& method)
      : source_(source), signals_(calibration.signals), method_(method) {
    if (signals_ != 0) batches_ = calibration_batches(calibration.sequences, calibration.rows);
    if (batches_.empty()) return;
    const Tensor embedding = matrix_of(source, "model.embed_tokens");
    for (CalibrationBatch& batch : batches_)
      batch.state = torch::embedding(embedding, batch.ids) * source.config().embedding_factor();
  }

  void embedding(const LinearSite& site) {
    std::vector<Tensor> weights{matrix_of(source_, site.modules.front())};
    compress(site, weights, std::nullopt);
  }

  /// The four sites of layer `index`.
  void layer(std::int64_t index, std::span<const LinearSite> sites) {
    const std::unique_ptr<DecoderModule> decoder = layer_of(source_, index);
    const auto weight = [&](const std::string& name) { return find(*decoder, index, name); };
    const auto statistics = [&](const LinearSite& site) {
      return statistics_of(site, [&](const CalibrationBatch& batch) {
        return decoder->activation(batch.state, 0, observed_place(site.place), decoder->read_both_ways(batch.ids));
      });
    };
    for (const LinearSite& site : sites)
      if (method_.smooths(site)) smooth(site, statistics(site), weight);
    for (const LinearSite& site : sites) {
      std::vector<Tensor> weights;
      for (const std::string& module : site.modules) weights.push_back(weight(module + ".weight")->detach());
      compress(site, weights, statistics(site));
      for (std::size_t i = 0; i < weights.size(); ++i) weight(site.modules[i] + ".weight")->copy_(weights[i]);
    }
    for (CalibrationBatch& batch : batches_)
      batch.state = decoder->activation(batch.state, 0, Site::layer_output, decoder->read_both_ways(batch.ids));
    const std::string alone = "model.layers.0.", there = "model.layers." + std::to_string(index) + ".";
    for (const auto& [name, tensor] : decoder->weights())
      if (tensor.dim() == 1 && name.starts_with(alone))
        method_.keep(there + name.substr(alone.size()), tensor.detach());
  }

  void head(const LinearSite& site) {
    Tensor norm = owned(model::to_f32(source_.tensor("model.norm.weight")), {source_.config().hidden_size});
    std::vector<Tensor> weights{matrix_of(source_, site.modules.front())};
    const auto weight = [&](const std::string& name) -> Tensor* {
      return name == "model.norm.weight" ? &norm : &weights.front();
    };
    model::ModelConfig none = source_.config();
    none.layers = 0;
    none.vocabulary_size = 1;
    none.tie_word_embeddings = true;
    none.sliding_layers.clear();
    DecoderModule end(none, 0);
    const auto statistics = [&] {
      end.weight("model.norm.weight").copy_(norm);
      return statistics_of(site, [&](const CalibrationBatch& batch) { return end.final_norm(batch.state); });
    };
    if (method_.smooths(site)) smooth(site, statistics(), weight);
    compress(site, weights, statistics());
    method_.keep("model.norm.weight", norm);
  }

 private:
  /// A tensor of the layer under its name in the whole model, or nullptr.
  static Tensor* find(DecoderModule& decoder, std::int64_t index, const std::string& name) {
    const std::string there = "model.layers." + std::to_string(index) + ".";
    const std::string alone = "model.layers.0." + name.substr(there.size());
    for (const auto& [known, tensor] : decoder.weights())
      if (known == alone) return &decoder.weight(alone);
    return nullptr;
  }

  std::optional<SiteStatistics> statistics_of(const LinearSite& site,
                                              const std::function<Tensor(const CalibrationBatch&)>& input) const {
    if (signals_ == 0 || !method_.needs_statistics(site)) return std::nullopt;
    SiteStatistics seen(site.view.columns, signals_);
    for (const CalibrationBatch& batch : batches_)
      seen.add(input(batch).reshape({-1, site.view.columns}).index_select(0, batch.index));
    return seen;
  }

  static host::SiteView with_weights(const LinearSite& site, const std::vector<Tensor>& weights,
                                     std::optional<SiteStatistics>& statistics, std::deque<Lent>& lent) {
    host::SiteView view = site.view;
    for (std::size_t i = 0; i < weights.size(); ++i) view.modules[i].weight = lent.emplace_back(weights[i]).address();
    if (statistics) view.statistics = statistics->abi();
    return view;
  }

  void smooth(const LinearSite& site, std::optional<SiteStatistics> statistics,
              const std::function<Tensor*(const std::string&)>& weight) {
    std::vector<Tensor> weights;
    for (const std::string& module : site.modules) weights.push_back(weight(module + ".weight")->detach());
    std::deque<Lent> lent;
    const Tensor factors = method_.smoothing(site, with_weights(site, weights, statistics, lent));
    fold_smoothing(site, factors, weight);
  }

  void compress(const LinearSite& site, std::vector<Tensor>& weights, std::optional<SiteStatistics> statistics) {
    std::deque<Lent> lent;
    const host::SiteView view = with_weights(site, weights, statistics, lent);
    method_.compress(site, view, weights);
  }

  const model::ModelFolder& source_;
  std::uint64_t signals_;
  CompressionMethod& method_;
  std::vector<CalibrationBatch> batches_;
};

}  // namespace

Tensor CompressionMethod::smoothing(const LinearSite& site, const host::SiteView& /*view*/) {
  throw std::logic_error(site.view.name + ": this method does not smooth");
}

void run_compression_pass(const model::ModelFolder& source, const CalibrationSet& calibration,
                          CompressionMethod& method, const RunHooks& hooks) {
  torch::NoGradGuard no_grad;
  const std::vector<LinearSite> sites = linear_sites(source.config());
  Pass pass(source, calibration, method);
  std::int64_t done = 0;
  for (std::size_t i = 0; i < sites.size();) {
    hooks.throw_if_stopped();
    const std::int64_t layer = sites[i].layer;
    std::size_t end = i + 1;
    while (layer >= 0 && end < sites.size() && sites[end].layer == layer) ++end;
    if (sites[i].place == SitePlace::embedding) pass.embedding(sites[i]);
    if (sites[i].place == SitePlace::head) pass.head(sites[i]);
    if (layer >= 0) pass.layer(layer, {sites.data() + i, end - i});
    hooks.progress("compressing", ++done, source.config().layers + (source.config().tie_word_embeddings ? 1 : 2),
                   "parts");
    i = end;
  }
}

}  // namespace retort::train
