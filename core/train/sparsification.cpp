#include "train/sparsification.h"

#include <retort/torch.hpp>

#include "host/algorithm/sparsifier_call.h"
#include "train/calibration_set.h"
#include "train/compression_check.h"
#include "train/compression_pass.h"
#include "train/fine_tuning.h"
#include "train/folder_tensors.h"
#include "train/model_weights.h"
#include "train/module_metrics.h"
#include "train/task_files.h"
#include "train/trainer.h"

namespace retort::train {
namespace {

using torch::Tensor;

host::SparsifierCall sparsifier_call_of(const retort_bound_component& sparsifier) {
  return {std::string(sparsifier.id.data, sparsifier.id.size), sparsifier.instance,
          *static_cast<const retort_sparsifier_v1*>(sparsifier.functions)};
}

class SparsificationMethod : public CompressionMethod {
 public:
  SparsificationMethod(const host::SparsifierCall& sparsifier, const RunHooks& hooks)
      : sparsifier_(sparsifier), hooks_(hooks), metrics_(hooks) {}

  bool needs_statistics(const LinearSite& site) const override { return site.layer >= 0; }
  void compress(const LinearSite& site, const host::SiteView& view, std::vector<Tensor>& weights) override {
    for (std::size_t i = 0; i < weights.size(); ++i) {
      hooks_.throw_if_stopped();
      if (site.layer >= 0) weights[i] = sparse(view, i);
      tensors_.add_float(site.modules[i] + ".weight", weights[i]);
    }
  }
  void keep(const std::string& name, const Tensor& tensor) override { tensors_.add_float(name, tensor); }

  const FolderTensors& tensors() const { return tensors_; }
  void record() const {
    metrics_.record_means();
    hooks_.metric("sparsity", -1, static_cast<double>(zeros_) / static_cast<double>(elements_));
  }

 private:
  Tensor sparse(const host::SiteView& view, std::size_t module) {
    const std::int64_t rows = view.modules[module].rows;
    const Tensor mask = torch::empty({rows, view.columns}, torch::kUInt8);
    Tensor weight = torch::empty({rows, view.columns}, torch::kFloat32);
    host::CallMetrics metrics;
    sparsifier_.sparsify(view, module, lend(mask), lend(weight), metrics);
    metrics_.add(metrics);
    zeros_ += (weight == 0).sum().item<std::int64_t>();
    elements_ += weight.numel();
    return weight;
  }

  const host::SparsifierCall& sparsifier_;
  const RunHooks& hooks_;
  ModuleMetrics metrics_;
  FolderTensors tensors_;
  std::int64_t zeros_ = 0, elements_ = 0;
};

ModelSize run(const SparsificationJob& job, const RunHooks& hooks) {
  use_threads(job.threads);
  const host::SparsifierCall sparsifier = sparsifier_call_of(job.sparsifier);
  const retort_sparsify_requirements wanted = sparsifier.requirements();
  const model::ModelFolder source(job.model);
  const TaskFiles task = load_task_files(job.model);
  expect_float_weights(source, sparsifier.id(), hooks);
  CalibrationSet calibration{{}, wanted.samples, wanted.signals};
  if (wanted.signals != 0) {
    calibration.sequences = calibration_sequences(
        job.dataset, task, {.max_length = source.config().max_positions, .max_rejected_share = job.max_rejected_share},
        sparsifier.id(), hooks);
    expect_known_tokens(calibration.sequences, task.tokenizer, source);
  }
  SparsificationMethod method(sparsifier, hooks);
  run_compression_pass(source, calibration, method, hooks);
  method.record();
  model::save_model(job.output, source.config(), method.tensors().views(source.config()));
  save_task_files(job.output, task.tokenizer, task.contract);
  return model_size(job.output);
}

}  // namespace

ModelSize sparsify(const SparsificationJob& job, const RunHooks& hooks) {
  return with_plain_errors([&] { return run(job, hooks); });
}

bool check_sparsifier(const retort_bound_component& sparsifier) {
  return sparsifier_call_of(sparsifier).requirements().signals != 0;
}

}  // namespace retort::train
