#include "train/quantization.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <retort/torch.hpp>
#include <stdexcept>

#include "model/quantization_config.h"
#include "train/calibration.h"
#include "train/model_weights.h"
#include "train/plugin_loss.h"
#include "train/trainer.h"

namespace retort::train {
namespace {

using torch::Tensor;

retort_quantize_requirements requirements_of(const QuantizationJob& job) {
  retort_quantize_requirements wanted{};
  wanted.struct_size = sizeof(wanted);
  job.quantizer.throw_if_error(job.quantizer.functions->requirements(job.quantizer.instance, &wanted));
  const bool int8 = wanted.bits == 8 && wanted.group_size == 0;
  const bool int4 =
      wanted.bits == 4 && (wanted.group_size == 32 || wanted.group_size == 64 || wanted.group_size == 128);
  if (wanted.symmetric != 1 || !(int8 || int4))
    throw std::invalid_argument("the quantizer is set to " + std::to_string(wanted.bits) + " bits, " +
                                (wanted.symmetric ? "symmetric" : "asymmetric") + ", groups of " +
                                std::to_string(wanted.group_size) +
                                "; the model format holds symmetric 8 bits per channel (group_size 0) and symmetric 4 "
                                "bits in groups of 32, 64 or 128");
  if (wanted.signals != 0 && !job.dataset)
    throw std::invalid_argument("the quantizer wants calibration data: give the stage the input \"dataset\"");
  return wanted;
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

/// Quantises one weight at a time.
class WeightQuantizer {
 public:
  WeightQuantizer(const QuantizationJob& job, std::map<std::string, Tensor> inputs,
                  const retort_quantize_requirements& wanted)
      : job_(job), inputs_(std::move(inputs)), wanted_(wanted) {}

  Codes run(const std::string& module, const Tensor& weight) {
    const std::int64_t groups = wanted_.group_size > 0 ? weight.size(1) / wanted_.group_size : 1;
    Codes result{torch::empty(weight.sizes(), torch::kInt8), torch::empty({weight.size(0), groups}, torch::kFloat32)};
    const auto found = inputs_.find(module == "model.embed_tokens" ? "lm_head" : module);
    const Tensor samples = found == inputs_.end() ? Tensor() : found->second;
    std::deque<Tensor> owned;
    std::deque<retort_tensor> views;
    const auto view = [&](const Tensor& tensor, std::uint32_t flags) {
      owned.push_back(tensor.contiguous());
      views.push_back(lend(owned.back(), flags));
      return &views.back();
    };
    const auto signal = [&](std::uint32_t bit, auto make) -> const retort_tensor* {
      return (wanted_.signals & bit) != 0 && samples.defined() ? view(make(), RETORT_TENSOR_READ_ONLY) : nullptr;
    };
    retort_quantize_input input{};
    input.struct_size = sizeof(input);
    input.module = {module.data(), module.size()};
    input.weight = view(weight, RETORT_TENSOR_READ_ONLY);
    input.input_absolute_mean = signal(RETORT_SIGNAL_INPUT_ABSOLUTE_MEAN, [&] { return samples.abs().mean(0); });
    input.input_absolute_max = signal(RETORT_SIGNAL_INPUT_ABSOLUTE_MAX, [&] { return samples.abs().amax(0); });
    input.input_hessian = signal(RETORT_SIGNAL_INPUT_HESSIAN, [&] {
      return samples.t().matmul(samples) * (2.0 / static_cast<double>(samples.size(0)));
    });
    input.input_samples = signal(RETORT_SIGNAL_INPUT_SAMPLES, [&]() -> const Tensor& { return samples; });
    retort_quantize_output output{};
    output.struct_size = sizeof(output);
    output.codes = view(result.codes, 0);
    output.scales = view(result.scales, 0);
    MetricMap metrics;
    const retort_metric_sink sink{sizeof(retort_metric_sink), 0, &metrics,
                                  [](void* context, retort_string name, double value) {
                                    (*static_cast<MetricMap*>(context))[std::string(name.data, name.size)] = value;
                                  }};
    job_.quantizer.throw_if_error(job_.quantizer.functions->quantize(job_.quantizer.instance, &input, &output, &sink));
    if (!torch::isfinite(result.scales).all().item<bool>() || (result.scales <= 0).any().item<bool>())
      throw std::runtime_error("the quantizer wrote a scale of " + module + " that is not a positive number");
    const int lowest = -(1 << (wanted_.bits - 1));
    if ((result.codes < lowest).any().item<bool>() || (result.codes > -lowest - 1).any().item<bool>())
      throw std::runtime_error("the quantizer wrote a code of " + module + " outside " + std::to_string(lowest) +
                               " to " + std::to_string(-lowest - 1));
    return result;
  }

 private:
  const QuantizationJob& job_;
  std::map<std::string, Tensor> inputs_;
  retort_quantize_requirements wanted_;
};

std::map<std::string, Tensor> calibrate(const QuantizationJob& job, CallModule& module,
                                        const retort_quantize_requirements& wanted) {
  if (wanted.signals == 0) return {};
  const std::vector<Sequence> sequences =
      to_sequences(task::read_split(*job.dataset / "train.jsonl").examples, module.contract, module.tokenizer,
                   module.decoder->config().max_positions);
  return module_inputs(*module.decoder, sequences, wanted.samples);
}

/// What becomes of one module.
enum class Storage { floating_point, int8_rows, quantizer };

/// Sorts the modules by how they are stored. A quantizer of 8 bits does them all; int4 groups hold linear layers, in a
/// pure model the embedding and the head too, and of these only those that they divide.
class StoragePlan {
 public:
  StoragePlan(const QuantizationJob& job, const retort_quantize_requirements& wanted, const DecoderModule& decoder)
      : job_(job), group_size_(wanted.group_size), tied_(decoder.config().tie_word_embeddings) {
    bool fits = false;
    for (const auto& [name, weight] : decoder.weights()) {
      if (weight.dim() != 2) continue;
      const std::string module = module_of(name);
      const bool odd = group_size_ > 0 && weight.size(1) % group_size_ != 0;
      if (odd && in_groups(module)) int8_modules_.push_back(module);
      fits = fits || (!odd && is_layer(module));
    }
    if (!fits)
      throw std::invalid_argument(
          "no layer's input columns are a multiple of group_size " + std::to_string(group_size_) + " (hidden_size " +
          std::to_string(decoder.config().hidden_size) + ", intermediate_size " +
          std::to_string(decoder.config().intermediate_size) + "); use a smaller group_size or bits 8");
  }

  Storage of(const std::string& module) const {
    if (module == "model.embed_tokens" && !job_.embedding) return Storage::floating_point;
    if (module == "lm_head" && !job_.head) return Storage::floating_point;
    if (group_size_ == 0) return Storage::quantizer;
    return in_groups(module) && !odd(module) ? Storage::quantizer : Storage::int8_rows;
  }
  /// That int4 groups would hold, but do not divide.
  const std::vector<std::string>& int8_modules() const { return int8_modules_; }

  nlohmann::json description() const {
    const int activations = job_.activation_bits;
    std::vector<model::QuantizedModules> groups;
    if (group_size_ > 0) groups.push_back({{"Linear"}, {4, group_size_}, 0});
    if (group_size_ == 0) groups.push_back({{"Linear"}, {8, 0}, activations});
    std::vector<std::string> ignored;
    std::vector<std::string> rows;
    for (const std::string& module : int8_modules_)
      if (is_layer(module)) rows.push_back(module);
    const std::string head = tied_ ? "model.embed_tokens" : "lm_head";
    if (group_size_ > 0 && of(head) == Storage::int8_rows) rows.emplace_back("lm_head");
    if (!rows.empty()) groups.push_back({rows, {8, 0}, activations});
    if (group_size_ > 0 && of("model.embed_tokens") == Storage::quantizer)
      groups.push_back({{"Embedding"}, {4, group_size_}, 0});
    else if (job_.embedding)
      groups.push_back({{"Embedding"}, {8, 0}, 0});
    else
      ignored.emplace_back("model.embed_tokens");
    if (tied_ ? !job_.embedding : !job_.head) ignored.emplace_back("lm_head");
    return model::quantization_config(groups, ignored);
  }

 private:
  static bool is_layer(const std::string& module) { return module != "model.embed_tokens" && module != "lm_head"; }
  bool in_groups(const std::string& module) const {
    if (is_layer(module)) return true;
    return job_.pure && (module == "lm_head" ? job_.head : job_.embedding);
  }
  bool odd(const std::string& module) const {
    return std::find(int8_modules_.begin(), int8_modules_.end(), module) != int8_modules_.end();
  }

  const QuantizationJob& job_;
  std::int64_t group_size_;
  bool tied_;
  std::vector<std::string> int8_modules_;
};

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

ModelSize run(const QuantizationJob& job, const RunHooks& hooks) {
  use_threads(job.threads);
  torch::NoGradGuard no_grad;
  const retort_quantize_requirements wanted = requirements_of(job);
  CallModule module = load_call_module(job.model);
  const StoragePlan plan(job, wanted, *module.decoder);
  for (const std::string& module_name : plan.int8_modules())
    hooks.log(module_name + ": its input columns are no multiple of group_size " + std::to_string(wanted.group_size) +
              ", so it becomes int8 per channel");
  WeightQuantizer quantizer(job, calibrate(job, module, wanted), wanted);

  FolderTensors tensors;
  double squared_error = 0, squared_weight = 0;
  std::int64_t done = 0;
  for (const auto& [name, weight] : module.decoder->weights()) {
    hooks.throw_if_stopped();
    const Storage storage = weight.dim() == 2 ? plan.of(module_of(name)) : Storage::floating_point;
    if (storage == Storage::floating_point) {
      tensors.add_float(name, weight);
    } else {
      const Codes codes =
          storage == Storage::quantizer ? quantizer.run(module_of(name), weight.detach()) : int8_rows(weight.detach());
      squared_error += (codes.restored() - weight).square().sum().item<double>();
      squared_weight += weight.square().sum().item<double>();
      if (storage == Storage::quantizer && wanted.bits == 4)
        tensors.add_int4(name, codes);
      else
        tensors.add_int8(name, codes);
    }
    hooks.progress("quantising", ++done, static_cast<std::int64_t>(module.decoder->weights().size()), "tensors");
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
