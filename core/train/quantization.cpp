#include "train/quantization.h"

#include <cmath>
#include <retort/torch.hpp>
#include <stdexcept>

#include "host/algorithm/quantizer_call.h"
#include "train/calibration_set.h"
#include "train/compression_check.h"
#include "train/compression_pass.h"
#include "train/fine_tuning.h"
#include "train/folder_tensors.h"
#include "train/model_weights.h"
#include "train/module_metrics.h"
#include "train/quantized_module.h"
#include "train/storage_plan.h"
#include "train/task_files.h"
#include "train/trainer.h"

namespace retort::train {
namespace {

using torch::Tensor;
using Kind = ModuleStorage::Kind;

host::QuantizerCall quantizer_call_of(const retort_bound_component& quantizer) {
  return {std::string(quantizer.id.data, quantizer.id.size), quantizer.instance,
          *static_cast<const retort_quantizer_v1*>(quantizer.functions)};
}

/// A quantizer plugin and the host's own int8 rows, as the plan says.
class QuantizationMethod : public CompressionMethod {
 public:
  QuantizationMethod(const host::QuantizerCall& quantizer, const StoragePlan& plan, const RunHooks& hooks)
      : quantizer_(quantizer), plan_(plan), hooks_(hooks), metrics_(hooks) {}

  bool needs_statistics(const LinearSite& site) const override {
    return site.place != SitePlace::embedding && plan_.quantizes(site);
  }
  bool smooths(const LinearSite& site) const override {
    return quantizer_.smooths() && site.view.producer != RETORT_PRODUCER_NONE && plan_.quantizes(site);
  }
  Tensor smoothing(const LinearSite& site, const host::SiteView& view) override {
    Tensor factors = torch::empty({site.view.columns}, torch::kFloat32);
    host::CallMetrics metrics;
    quantizer_.smooth(view, lend(factors), metrics);
    metrics_.add(metrics);
    return factors;
  }
  void compress(const LinearSite& site, const host::SiteView& view, std::vector<Tensor>& weights) override {
    for (std::size_t i = 0; i < weights.size(); ++i) {
      hooks_.throw_if_stopped();
      const std::string& module = site.modules[i];
      const ModuleStorage& storage = plan_.of(module);
      if (storage.kind == Kind::floating_point) {
        tensors_.add_float(module + ".weight", weights[i]);
        continue;
      }
      host::CallMetrics metrics;
      const Codes codes = storage.kind == Kind::quantizer ? quantized(quantizer_, view, i, storage.scheme, metrics)
                                                          : int8_rows(weights[i]);
      metrics_.add(metrics);
      if (storage.kind == Kind::quantizer && storage.scheme.bits == 4)
        tensors_.add_int4(module, codes);
      else
        tensors_.add_int8(module, codes);
      const Tensor restored = codes.restored();
      const double error = (restored - weights[i]).square_().sum().item<double>();
      errors_[module + ".weight"] = {error, weights[i].square().sum().item<double>()};
      weights[i] = restored;
    }
  }
  void keep(const std::string& name, const Tensor& tensor) override { tensors_.add_float(name, tensor); }

  const FolderTensors& tensors() const { return tensors_; }
  ModuleMetrics& metrics() { return metrics_; }
  /// The relative root mean square error over all quantised weights, added up in the folder's order.
  double weight_error(const model::ModelConfig& config) const {
    double error = 0, weight = 0;
    for (const auto& entry : model::tensor_shapes(config))
      if (const auto found = errors_.find(entry.first); found != errors_.end()) {
        error += found->second.first;
        weight += found->second.second;
      }
    return std::sqrt(error / weight);
  }

 private:
  const host::QuantizerCall& quantizer_;
  const StoragePlan& plan_;
  const RunHooks& hooks_;
  ModuleMetrics metrics_;
  FolderTensors tensors_;
  std::map<std::string, std::pair<double, double>> errors_;  ///< squared error, squared weight
};

ModelSize run(const QuantizationJob& job, const RunHooks& hooks) {
  use_threads(job.threads);
  const host::QuantizerCall quantizer = quantizer_call_of(job.quantizer);
  const retort_quantize_requirements wanted = quantizer.requirements();
  const model::ModelFolder source(job.model);
  const StoragePlan plan(source.config(), linear_sites(source.config()), quantizer, job.storage);
  for (const std::string& note : plan.notes()) hooks.log(note);
  const TaskFiles task = load_task_files(job.model);
  expect_float_weights(source, quantizer.id(), hooks);
  CalibrationSet calibration{{}, wanted.samples, wanted.signals};
  if (wanted.signals != 0) {
    calibration.sequences = calibration_sequences(
        job.dataset, task, {.max_length = source.config().max_positions, .max_rejected_share = job.max_rejected_share},
        quantizer.id(), hooks);
    expect_known_tokens(calibration.sequences, task.tokenizer, source);
  }
  QuantizationMethod method(quantizer, plan, hooks);
  run_compression_pass(source, calibration, method, hooks);
  method.metrics().record_means();
  hooks.metric("weight_error", -1, method.weight_error(source.config()));
  model::save_model(job.output, source.config(), method.tensors().views(source.config()), plan.description());
  save_task_files(job.output, task.tokenizer, task.contract);
  return model_size(job.output);
}

}  // namespace

ModelSize quantize(const QuantizationJob& job, const RunHooks& hooks) {
  return with_plain_errors([&] { return run(job, hooks); });
}

std::int64_t planned_bytes(const std::filesystem::path& model, const retort_bound_component& quantizer,
                           const StorageOptions& storage) {
  return with_plain_errors([&] {
    const model::ModelConfig config = model::ModelFolder(model).config();
    return StoragePlan(config, linear_sites(config), quantizer_call_of(quantizer), storage).bytes(config);
  });
}

retort_quantize_scheme layer_scheme(const retort_bound_component& quantizer) {
  return with_plain_errors([&] { return scheme_of_layers(quantizer_call_of(quantizer)); });
}

bool check_quantizer(const retort_bound_component& quantizer) {
  const host::QuantizerCall call = quantizer_call_of(quantizer);
  check_storable(call);
  return call.requirements().signals != 0;
}

}  // namespace retort::train
