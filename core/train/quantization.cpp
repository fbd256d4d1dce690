#include "train/quantization.h"

#include <deque>
#include <retort/torch.hpp>
#include <stdexcept>

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
  if (wanted.bits != 8 || wanted.symmetric != 1 || wanted.group_size != 0)
    throw std::invalid_argument("the quantizer is set to " + std::to_string(wanted.bits) + " bits, " +
                                (wanted.symmetric ? "symmetric" : "asymmetric") + ", groups of " +
                                std::to_string(wanted.group_size) +
                                "; the model format holds symmetric 8 bits per channel (group_size 0)");
  if (wanted.signals != 0 && !job.dataset)
    throw std::invalid_argument("the quantizer wants calibration data: give the stage the input \"dataset\"");
  return wanted;
}

std::string module_of(const std::string& weight) {
  return weight.substr(0, weight.size() - std::string(".weight").size());
}

/// Quantises one weight at a time; codes and scales stay alive in `kept`.
class WeightQuantizer {
 public:
  WeightQuantizer(const QuantizationJob& job, std::map<std::string, Tensor> inputs, std::uint32_t signals)
      : job_(job), inputs_(std::move(inputs)), signals_(signals) {}

  struct Result {
    Tensor codes, scales;  ///< [O,I] int8, [O,1] f32
  };
  Result run(const std::string& module, const Tensor& weight) {
    Result result{torch::empty(weight.sizes(), torch::kInt8), torch::empty({weight.size(0), 1}, torch::kFloat32)};
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
      return (signals_ & bit) != 0 && samples.defined() ? view(make(), RETORT_TENSOR_READ_ONLY) : nullptr;
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
    input.input_samples = signal(RETORT_SIGNAL_INPUT_SAMPLES, [&] { return samples; });
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
    const Tensor restored = result.codes.to(torch::kFloat32) * result.scales;
    squared_error += (restored - weight).square().sum().item<double>();
    squared_weight += weight.square().sum().item<double>();
    return result;
  }
  double squared_error = 0, squared_weight = 0;

 private:
  const QuantizationJob& job_;
  std::map<std::string, Tensor> inputs_;
  std::uint32_t signals_;
};

std::map<std::string, Tensor> calibrate(const QuantizationJob& job, CallModule& module,
                                        const retort_quantize_requirements& wanted) {
  if (wanted.signals == 0) return {};
  const std::vector<Sequence> sequences =
      to_sequences(text::read_split(*job.dataset / "train.jsonl").examples, module.contract, module.tokenizer,
                   module.decoder->config().max_positions);
  return module_inputs(*module.decoder, sequences, wanted.samples);
}

ModelSize run(const QuantizationJob& job, const RunHooks& hooks) {
  use_threads(job.threads);
  torch::NoGradGuard no_grad;
  const retort_quantize_requirements wanted = requirements_of(job);
  CallModule module = load_call_module(job.model);
  WeightQuantizer quantizer(job, calibrate(job, module, wanted), wanted.signals);

  std::deque<Tensor> kept;
  std::vector<model::TensorView> views;
  const auto store = [&](const std::string& name, model::DataType type, const Tensor& tensor) {
    kept.push_back(tensor.detach().contiguous());
    views.push_back({name, type, kept.back().sizes().vec(), static_cast<const std::byte*>(kept.back().data_ptr())});
  };
  std::vector<std::string> ignored;
  std::int64_t done = 0;
  for (const auto& [name, weight] : module.decoder->weights()) {
    hooks.throw_if_stopped();
    const bool matrix = weight.dim() == 2;
    const std::string linear = matrix ? module_of(name) : name;
    const bool skip = (linear == "model.embed_tokens" && !job.embedding) || (linear == "lm_head" && !job.head);
    if (skip) ignored.push_back(linear);
    if (!matrix || skip) {
      store(name, model::DataType::f32, weight);
    } else {
      const WeightQuantizer::Result result = quantizer.run(linear, weight.detach());
      store(name, model::DataType::i8, result.codes);
      store(name + "_scale", model::DataType::f32, result.scales);
    }
    hooks.progress("quantising", ++done, static_cast<std::int64_t>(module.decoder->weights().size()), "tensors");
  }
  if (module.decoder->config().tie_word_embeddings && !job.embedding) ignored.push_back("lm_head");
  hooks.metric("weight_error", -1, std::sqrt(quantizer.squared_error / quantizer.squared_weight));
  model::save_model(job.output, module.decoder->config(), views,
                    model::int8_quantization_config(ignored, job.embedding ? model::EmbeddingStorage::int8
                                                                           : model::EmbeddingStorage::floating_point));
  save_task_files(job.output, module.tokenizer, module.contract);
  return model_size(job.output);
}

}  // namespace

ModelSize quantize(const QuantizationJob& job, const RunHooks& hooks) {
  return with_plain_errors([&] { return run(job, hooks); });
}

}  // namespace retort::train
