#include "train/sensitivity.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <retort/torch.hpp>
#include <stdexcept>

#include "host/algorithm/quantizer_call.h"
#include "runtime/measure/evaluation.h"
#include "train/calibration_set.h"
#include "train/compression_check.h"
#include "train/compression_pass.h"
#include "train/fine_tuning.h"
#include "train/layer_folder.h"
#include "train/model_weights.h"
#include "train/quantized_module.h"
#include "train/storage_plan.h"
#include "train/token_loss.h"
#include "train/trainer.h"

namespace retort::train {
namespace {

using torch::Tensor;

std::string layer_name(std::int64_t layer) {
  return "model.layers." + std::to_string(layer) + ".";
}

/// The float model as the quantizer wants it, smoothed, and beside it what its codes stand for.
class BothForms : public CompressionMethod {
 public:
  BothForms(const host::QuantizerCall& quantizer, const RunHooks& hooks) : quantizer_(quantizer), hooks_(hooks) {}

  bool needs_statistics(const LinearSite& site) const override { return site.layer >= 0; }
  bool smooths(const LinearSite& site) const override { return site.layer >= 0 && quantizer_.smooths(); }
  Tensor smoothing(const LinearSite& site, const host::SiteView& view) override {
    Tensor factors = torch::empty({site.view.columns}, torch::kFloat32);
    host::CallMetrics metrics;
    quantizer_.smooth(view, lend(factors), metrics);
    return factors;
  }
  void compress(const LinearSite& site, const host::SiteView& view, std::vector<Tensor>& weights) override {
    for (std::size_t i = 0; i < weights.size(); ++i) {
      hooks_.throw_if_stopped();
      const std::string name = site.modules[i] + ".weight";
      tensors[name] = weights[i].clone();
      if (site.layer < 0) continue;
      LayerCost& cost = costs[static_cast<std::size_t>(site.layer)];
      const retort_quantize_scheme scheme = fitting(quantizer_.scheme(site.view), site.view.columns);
      const auto bytes = [&](const ModuleStorage& storage) {
        return stored_bytes(view.modules[i].rows, site.view.columns, storage);
      };
      cost.bytes +=
          bytes({scheme.bits == 0 ? ModuleStorage::Kind::floating_point : ModuleStorage::Kind::quantizer, scheme});
      cost.wider += bytes({ModuleStorage::Kind::int8_rows, {}});
      if (scheme.bits == 0) continue;
      host::CallMetrics metrics;
      codes[site.layer][site.modules[i]] = quantized(quantizer_, view, i, scheme, metrics);
    }
  }
  void keep(const std::string& name, const Tensor& tensor) override { tensors[name] = tensor.clone(); }

  NamedTensors tensors;
  std::map<std::int64_t, NamedCodes> codes;  ///< by layer
  std::map<std::size_t, LayerCost> costs;

 private:
  /// Where the groups do not divide the columns, int8 rows stand in for them, as in StoragePlan.
  static retort_quantize_scheme fitting(retort_quantize_scheme scheme, std::int64_t columns) {
    if (scheme.group_size > 0 && columns % scheme.group_size != 0)
      scheme.bits = 8, scheme.group_size = 0, scheme.symmetric = 1;
    return scheme;
  }
  const host::QuantizerCall& quantizer_;
  const RunHooks& hooks_;
};

std::vector<Sequence> measured_sequences(const SensitivityJob& job, const TaskFiles& task, const CorpusOptions& options,
                                         const RunHooks& hooks) {
  constexpr double any_share = 1.0;  // decided when all reasons are known
  const std::filesystem::path file = job.dataset / (job.split + ".jsonl");
  task::Split split = task::read_split(file, any_share, task::Turns::all);
  if (job.limit > 0 && static_cast<std::int64_t>(split.examples.size()) > job.limit)
    split.examples.resize(static_cast<std::size_t>(job.limit));
  Corpus corpus = calibration_corpus(std::move(split), file, task.contract, task.tokenizer, options, hooks);
  if (corpus.sequences.empty())
    throw std::invalid_argument(file.string() + ": expected rows to measure on, found none");
  return std::move(corpus.sequences);
}

/// The loss with the codes of each layer alone; `decoder` is as it was afterwards.
nlohmann::json measured_layers(DecoderModule& decoder, BothForms& forms, const std::vector<Sequence>& sequences,
                               double loss, const RunHooks& hooks) {
  nlohmann::json layers = nlohmann::json::array();
  for (auto& [index, cost] : forms.costs) {
    hooks.throw_if_stopped();
    const auto layer = static_cast<std::int64_t>(index);
    for (const auto& [module, codes] : forms.codes[layer]) decoder.weight(module + ".weight").copy_(codes.restored());
    const double found = mean_token_loss(decoder, sequences);
    for (const auto& entry : forms.codes[layer])
      decoder.weight(entry.first + ".weight").copy_(forms.tensors.at(entry.first + ".weight"));
    cost.loss = found - loss;
    hooks.metric("layer_loss", layer, cost.loss);
    hooks.progress("measuring", layer + 1, static_cast<std::int64_t>(forms.costs.size()), "layers");
    layers.push_back({{"layer", layer_name(layer)},
                      {"loss", found},
                      {"perplexity", std::exp(found)},
                      {"bytes", cost.bytes},
                      {"bytes_8_bits", cost.wider}});
  }
  return layers;
}

/// What the runtime makes of the float model, and of each layer's codes alone: on what it answers, and how fast.
class RuntimeMeasurement {
 public:
  RuntimeMeasurement(const SensitivityJob& job, const TaskFiles& task, const model::ModelConfig& config,
                     const BothForms& forms, const host::QuantizerCall& quantizer, const RunHooks& hooks)
      : job_(job), task_(task), config_(config), forms_(forms), quantizer_(quantizer), hooks_(hooks) {
    const std::filesystem::path file = job.dataset / (job.split + ".jsonl");
    for (const task::Example& example : task::read_split(file, job.max_rejected_share).examples) {
      if (job.limit > 0 && static_cast<std::int64_t>(rows_.size()) == job.limit) break;
      if (example.calls) rows_.push_back({example.utterance(), *example.calls, example, {}});
    }
    if (rows_.empty()) hooks.log(file.string() + ": no labelled rows, so that no answers are measured");
  }
  /// "exact_match", "milliseconds", "model_bytes" into `entry`; `layer` -1: of the float model.
  void add(nlohmann::json& entry, std::int64_t layer) const {
    if (rows_.empty()) return;
    static const NamedCodes none;
    const std::filesystem::path folder = job_.work / "layer";
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
    const auto codes = forms_.codes.find(layer);
    write_layer_folder(folder, config_, task_, forms_.tensors, codes == forms_.codes.end() ? none : codes->second,
                       layer, quantizer_);
    runtime::DecoderOptions options;
    options.threads = job_.inference_threads;
    runtime::CallModel model(folder, options);
    const runtime::Evaluation found = runtime::evaluate(model, rows_, [&](std::int64_t, std::int64_t) {
      hooks_.throw_if_stopped();
      return true;
    });
    entry["exact_match"] = found.exact_match;
    entry["milliseconds"] = found.p50_ms;
    entry["model_bytes"] = model.folder().weight_bytes();
    std::filesystem::remove_all(folder);
  }

 private:
  const SensitivityJob& job_;
  const TaskFiles& task_;
  const model::ModelConfig& config_;
  const BothForms& forms_;
  const host::QuantizerCall& quantizer_;
  const RunHooks& hooks_;
  std::vector<runtime::LabelledUtterance> rows_;
};

nlohmann::json run(const SensitivityJob& job, const RunHooks& hooks) {
  use_threads(job.threads);
  torch::NoGradGuard no_grad;
  const host::QuantizerCall quantizer(std::string(job.quantizer.id.data, job.quantizer.id.size), job.quantizer.instance,
                                      *static_cast<const retort_quantizer_v1*>(job.quantizer.functions));
  const retort_quantize_requirements wanted = quantizer.requirements();
  const model::ModelFolder source(job.model);
  expect_float_weights(source, quantizer.id(), hooks);
  const TaskFiles task = load_task_files(job.model);
  const CorpusOptions options{.max_length = source.config().max_positions,
                              .max_rejected_share = job.max_rejected_share};
  CalibrationSet calibration{{}, wanted.samples, wanted.signals};
  if (wanted.signals != 0)
    calibration.sequences = calibration_sequences(job.dataset, task, options, quantizer.id(), hooks);
  const std::vector<Sequence> sequences = measured_sequences(job, task, options, hooks);
  expect_known_tokens(calibration.sequences, task.tokenizer, source);
  expect_known_tokens(sequences, task.tokenizer, source);
  BothForms forms(quantizer, hooks);
  run_compression_pass(source, calibration, forms, hooks);
  DecoderModule decoder(source.config(), 0);
  for (const auto& [name, target] : decoder.weights()) Tensor(target).copy_(forms.tensors.at(name));
  const double loss = mean_token_loss(decoder, sequences);
  nlohmann::json result = {{"loss", loss}, {"perplexity", std::exp(loss)}};
  result["layers"] = measured_layers(decoder, forms, sequences, loss, hooks);
  if (!job.work.empty()) {
    const RuntimeMeasurement measurement(job, task, source.config(), forms, quantizer, hooks);
    measurement.add(result, -1);
    for (std::size_t i = 0; i < result["layers"].size(); ++i) {
      hooks.progress("answering", static_cast<std::int64_t>(i), static_cast<std::int64_t>(result["layers"].size()),
                     "layers");
      measurement.add(result["layers"][i], static_cast<std::int64_t>(i));
    }
  }
  std::vector<LayerCost> costs;
  for (const auto& [layer, cost] : forms.costs) costs.push_back(cost);
  std::int64_t bytes = 0;
  for (const LayerCost& cost : costs) bytes += cost.bytes;
  result["overrides"] = nlohmann::json::array();
  for (const std::size_t layer : layers_worth_eight_bits(costs, job.budget)) {
    result["overrides"].push_back(layer_name(static_cast<std::int64_t>(layer)) + "=8");
    bytes += costs[layer].wider - costs[layer].bytes;
  }
  result["bytes"] = bytes;
  return result;
}

}  // namespace

std::vector<std::size_t> layers_worth_eight_bits(std::span<const LayerCost> layers, std::int64_t budget) {
  std::vector<std::size_t> chosen;
  if (budget == 0) return chosen;
  std::int64_t left = budget;
  for (const LayerCost& layer : layers) left -= layer.bytes;
  if (left < 0)
    throw std::invalid_argument("budget: expected at least the " + std::to_string(budget - left) +
                                " bytes that the layers' matrices take as the algorithm stores them, found " +
                                std::to_string(budget) + "; fewer bits, larger groups or a pruned model take less");
  std::vector<std::size_t> order(layers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto worth = [&](std::size_t i) {
    return layers[i].loss / static_cast<double>(std::max<std::int64_t>(1, layers[i].wider - layers[i].bytes));
  };
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return worth(a) > worth(b); });
  for (const std::size_t i : order) {
    const std::int64_t more = layers[i].wider - layers[i].bytes;
    if (!(layers[i].loss > 0) || more <= 0 || more > left) continue;
    left -= more;
    chosen.push_back(i);
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

nlohmann::json sensitivity(const SensitivityJob& job, const RunHooks& hooks) {
  return with_plain_errors([&] { return run(job, hooks); });
}

}  // namespace retort::train
