#include "train/quantization.h"

#include <cmath>
#include <deque>
#include <retort/torch.hpp>
#include <stdexcept>

#include "host/algorithm/quantizer_call.h"
#include "model/linear_weight.h"
#include "train/calibration.h"
#include "train/fine_tuning.h"
#include "train/linear_sites.h"
#include "train/model_weights.h"
#include "train/storage_plan.h"
#include "train/trainer.h"

namespace retort::train {
namespace {

using torch::Tensor;

host::QuantizerCall call_of(const retort_bound_component& quantizer) {
  return {std::string(quantizer.id.data, quantizer.id.size), quantizer.instance,
          *static_cast<const retort_quantizer_v1*>(quantizer.functions)};
}

std::string module_of(const std::string& weight) {
  return weight.substr(0, weight.size() - std::string(".weight").size());
}

/// A quantised weight: codes [O,I] int8, scales [O,Q] f32.
struct Codes {
  Tensor codes, scales;
  Tensor restored() const {
    const std::int64_t rows = codes.size(0), groups = scales.size(1);
    return (codes.to(torch::kFloat32).view({rows, groups, -1}) * scales.unsqueeze(-1)).view(codes.sizes());
  }
};

/// int8 per row, rounded to the nearest: what a model of int4 layers has where int4 groups do not fit.
Codes int8_rows(const Tensor& weight) {
  const Tensor largest = weight.to(torch::kFloat64).abs().amax(1, true);
  const Tensor scales = torch::where(largest > 0, largest / 127, torch::ones_like(largest)).to(torch::kFloat32);
  return {(weight / scales).round().clamp(-127, 127).to(torch::kInt8), scales};
}

/// Tensors and their views, for the length of a call.
class Lent {
 public:
  const retort_tensor* view(const Tensor& tensor, std::uint32_t flags = RETORT_TENSOR_READ_ONLY) {
    kept_.push_back(tensor.contiguous());
    views_.push_back(lend(kept_.back(), flags));
    return &views_.back();
  }

 private:
  std::deque<Tensor> kept_;
  std::deque<retort_tensor> views_;
};

/// What the first rows of a site's input say of it.
retort_site_statistics statistics_of(const Tensor& samples, std::uint64_t signals, Lent& lent) {
  const auto signal = [&](std::uint64_t bit, auto make) -> const retort_tensor* {
    return (signals & bit) != 0 ? lent.view(make()) : nullptr;
  };
  retort_site_statistics seen{};
  seen.struct_size = sizeof seen;
  seen.rows = samples.size(0);
  seen.absolute_mean = signal(RETORT_SIGNAL_INPUT_ABSOLUTE_MEAN, [&] { return samples.abs().mean(0); });
  seen.absolute_max = signal(RETORT_SIGNAL_INPUT_ABSOLUTE_MAX, [&] { return samples.abs().amax(0); });
  seen.square_sum = signal(RETORT_SIGNAL_INPUT_SQUARE_SUM, [&] { return samples.square().sum(0); });
  seen.hessian = signal(RETORT_SIGNAL_INPUT_HESSIAN,
                        [&] { return samples.t().matmul(samples) * (2.0 / static_cast<double>(samples.size(0))); });
  seen.samples = signal(RETORT_SIGNAL_INPUT_SAMPLES, [&] { return samples; });
  return seen;
}

Codes quantized(const host::QuantizerCall& quantizer, const host::SiteView& site, std::size_t module,
                const retort_quantize_scheme& scheme, host::CallMetrics& metrics) {
  const std::int64_t rows = site.modules[module].rows, columns = site.columns;
  const std::int64_t groups = columns / host::group_width(scheme, columns);
  Codes result{torch::empty({rows, columns}, torch::kInt8), torch::empty({rows, groups}, torch::kFloat32)};
  const retort_tensor codes = lend(result.codes), scales = lend(result.scales);
  quantizer.quantize(site, module, scheme, {sizeof(retort_quantize_output), 0, &codes, &scales, nullptr}, metrics);
  return result;
}

std::map<std::string, Tensor> calibrate(const QuantizationJob& job, CallModule& module,
                                        const retort_quantize_requirements& wanted) {
  if (wanted.signals == 0) return {};
  if (!job.dataset)
    throw std::invalid_argument("the quantizer wants calibration data: give the stage the input \"dataset\"");
  const std::vector<Sequence> sequences =
      to_sequences(task::read_split(*job.dataset / "train.jsonl").examples, module.contract, module.tokenizer,
                   module.decoder->config().max_positions);
  return module_inputs(*module.decoder, sequences, wanted.samples);
}

/// Tensors under their names in the folder, kept alive until it is written.
class FolderTensors {
 public:
  void add_float(const std::string& name, const Tensor& tensor) { add(name, model::DataType::f32, tensor); }
  void add_int8(const std::string& weight, const Codes& codes) {
    add(weight, model::DataType::i8, codes.codes);
    add(weight + "_scale", model::DataType::f32, codes.scales);
  }
  void add_int4(const std::string& weight, const Codes& codes) {
    const Tensor flat = codes.codes.contiguous();
    const std::int64_t rows = flat.size(0), columns = flat.size(1);
    const std::vector<std::int32_t> packed =
        model::pack_int4({flat.data_ptr<std::int8_t>(), static_cast<std::size_t>(flat.numel())}, rows, columns);
    add(weight + "_packed", model::DataType::i32,
        torch::tensor(packed, torch::kInt32).view({rows, model::packed_int4_columns(columns)}));
    add_scales(weight + "_scale", codes.scales);
    add(weight + "_shape", model::DataType::i64, torch::tensor({rows, columns}, torch::kInt64));
  }
  const std::vector<model::StoredTensor>& views() const { return views_; }

 private:
  /// As bf16 where that is exact: half the bytes to read for every token.
  void add_scales(const std::string& name, const Tensor& scales) {
    const Tensor halves = scales.to(torch::kBFloat16);
    if (halves.to(torch::kFloat32).equal(scales)) return add(name, model::DataType::bf16, halves);
    add(name, model::DataType::f32, scales);
  }
  void add(const std::string& name, model::DataType type, const Tensor& tensor) {
    kept_.push_back(tensor.detach().contiguous());
    views_.push_back({name, type, kept_.back().sizes().vec(), static_cast<const std::byte*>(kept_.back().data_ptr())});
  }
  std::deque<Tensor> kept_;
  std::vector<model::StoredTensor> views_;
};

/// Every matrix that is quantised, by its module.
std::map<std::string, Codes> quantize_sites(const QuantizationJob& job, CallModule& module, const StoragePlan& plan,
                                            const host::QuantizerCall& quantizer, const RunHooks& hooks) {
  const retort_quantize_requirements wanted = quantizer.requirements();
  const std::map<std::string, Tensor> inputs = calibrate(job, module, wanted);
  std::map<std::string, Codes> made;
  for (LinearSite& site : linear_sites(module.decoder->config())) {
    Lent lent;
    for (host::SiteModuleView& part : site.view.modules)
      part.weight = lent.view(module.decoder->weight(part.name + ".weight").detach());
    const auto found = inputs.find(site.place == SitePlace::head ? "lm_head" : site.modules.front());
    if (found != inputs.end()) site.view.statistics = statistics_of(found->second, wanted.signals, lent);
    for (std::size_t i = 0; i < site.modules.size(); ++i) {
      hooks.throw_if_stopped();
      const ModuleStorage& storage = plan.of(site.modules[i]);
      host::CallMetrics metrics;
      if (storage.kind == ModuleStorage::Kind::quantizer)
        made[site.modules[i]] = quantized(quantizer, site.view, i, storage.scheme, metrics);
      if (storage.kind == ModuleStorage::Kind::int8_rows)
        made[site.modules[i]] = int8_rows(module.decoder->weight(site.modules[i] + ".weight").detach());
    }
    hooks.progress("quantising", site.layer + 1, module.decoder->config().layers, "layers");
  }
  return made;
}

ModelSize run(const QuantizationJob& job, const RunHooks& hooks) {
  use_threads(job.threads);
  torch::NoGradGuard no_grad;
  const host::QuantizerCall quantizer = call_of(job.quantizer);
  CallModule module = load_call_module(job.model);
  const StoragePlan plan(module.decoder->config(), linear_sites(module.decoder->config()), quantizer, job.storage);
  for (const auto& [name, group_size] : plan.odd_modules())
    hooks.log(name + ": its input columns are no multiple of group_size " + std::to_string(group_size) +
              ", so it becomes int8 per channel");
  const std::map<std::string, Codes> made = quantize_sites(job, module, plan, quantizer, hooks);

  FolderTensors tensors;
  double squared_error = 0, squared_weight = 0;
  for (const auto& [name, weight] : module.decoder->weights()) {
    const auto found = weight.dim() == 2 ? made.find(module_of(name)) : made.end();
    if (found == made.end()) {
      tensors.add_float(name, weight);
      continue;
    }
    squared_error += (found->second.restored() - weight).square().sum().item<double>();
    squared_weight += weight.square().sum().item<double>();
    const ModuleStorage& storage = plan.of(module_of(name));
    if (storage.kind == ModuleStorage::Kind::quantizer && storage.scheme.bits == 4)
      tensors.add_int4(name, found->second);
    else
      tensors.add_int8(name, found->second);
  }
  hooks.metric("weight_error", -1, std::sqrt(squared_error / squared_weight));
  model::save_model(job.output, module.decoder->config(), tensors.views(), plan.description());
  save_task_files(job.output, module.tokenizer, module.contract);
  return model_size(job.output);
}

}  // namespace

ModelSize quantize(const QuantizationJob& job, const RunHooks& hooks) {
  return with_plain_errors([&] { return run(job, hooks); });
}

}  // namespace retort::train
