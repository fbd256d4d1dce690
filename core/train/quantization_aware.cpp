#include "train/quantization_aware.h"

#include <map>
#include <stdexcept>

#include "model/model_folder.h"
#include "train/fake_quantization.h"
#include "train/student_form.h"
#include "train/task_files.h"
#include "train/trainer.h"

namespace retort::train {
namespace {

using torch::Tensor;

constexpr char weight_suffix[] = ".weight";

Tensor owned_copy(const std::vector<float>& values, at::IntArrayRef shape) {
  return torch::tensor(values, torch::kFloat32).view(shape);
}

/// One matrix and its grid; the scales are `first` times what is learnt.
struct QuantizedMatrix {
  Tensor first;   ///< [O,Q]
  Tensor factor;  ///< [O,Q], 1 at first; undefined: not learnt
  CodeRange range;
  bool bf16_scales = false;
  int bits = 4;

  void to(torch::Device device) {
    first = first.to(device);
    if (range.zero_points.defined()) range.zero_points = range.zero_points.to(device);
    if (factor.defined()) factor = factor.detach().to(device).set_requires_grad(true);
  }

  Tensor scales() const {
    if (!factor.defined()) return first;
    const Tensor exact = first * factor;
    if (!bf16_scales) return exact;
    return exact + (exact.detach().to(torch::kBFloat16).to(torch::kFloat32) - exact.detach());
  }
};

QuantizedMatrix matrix_of(const model::LinearWeight& linear, bool learn_scales) {
  const std::int64_t rows = linear.shape[0], columns = linear.shape[1];
  const std::int64_t groups = linear.group_size > 0 ? columns / linear.group_size : 1;
  QuantizedMatrix matrix;
  matrix.bits = linear.bits;
  matrix.first = owned_copy(model::to_f32(*linear.scale), {rows, groups});
  matrix.bf16_scales = linear.scale->type == model::DataType::bf16;
  if (linear.bits == 8) {
    matrix.range.lowest = -127;  // as int8_rows and the quantizers have it
    matrix.range.highest = 127;
    return matrix;
  }
  if (linear.zero_point != nullptr) {
    const std::vector<std::int8_t> zeros = model::zero_points_of(linear);
    matrix.range.zero_points = owned_copy({zeros.begin(), zeros.end()}, {rows, groups});
  }
  if (learn_scales) matrix.factor = torch::ones({rows, groups}).set_requires_grad(true);
  return matrix;
}

class QuantizedStudent final : public StudentForm {
 public:
  QuantizedStudent(const model::ModelFolder& grid, const QuantizationAwareJob& job)
      : description_(grid.config_json().at("quantization_config")), scale_rate_(job.scale_learning_rate) {
    for (const auto& [name, shape] : model::tensor_shapes(grid.config())) {
      if (shape.size() != 2) continue;
      const model::LinearWeight linear = grid.linear(module_of(name));
      if (linear.quantized()) matrices_.emplace(name, matrix_of(linear, job.learn_scales));
    }
  }

  std::vector<ParameterGroup> prepare(DecoderModule& student) override {
    ParameterGroup scales{"scales", {}, scale_rate_, false};
    for (auto& [name, matrix] : matrices_) {
      matrix.to(student.device());
      WeightForm form{
          [&matrix = matrix](const Tensor& weight) { return fake_quantized(weight, matrix.scales(), matrix.range); },
          {}};
      if (matrix.factor.defined()) {
        form.learnt.push_back(matrix.factor);
        scales.tensors.emplace_back(name, matrix.factor);
      }
      student.use_form(name, std::move(form));
    }
    if (scales.tensors.empty()) return {};
    return {std::move(scales)};
  }

  void save(const std::filesystem::path& folder, const CallModule& student) override {
    const torch::NoGradGuard no_grad;
    FolderTensors tensors;
    for (const auto& [name, weight] : student.decoder->weights()) {
      const auto found = matrices_.find(name);
      if (found == matrices_.end()) {
        tensors.add_float(name, weight.cpu());
        continue;
      }
      QuantizedMatrix matrix = found->second;
      matrix.to(torch::kCPU);
      const Codes codes = codes_of(weight.cpu(), matrix.scales(), matrix.range);
      if (matrix.bits == 8)
        tensors.add_int8(module_of(name), codes);
      else
        tensors.add_int4(module_of(name), codes);
    }
    model::save_model(folder, student.decoder->config(), tensors.views(student.decoder->config()), description_);
    save_task_files(folder, student.tokenizer, student.contract);
  }

 private:
  static std::string module_of(const std::string& name) {
    return name.substr(0, name.size() - (sizeof(weight_suffix) - 1));
  }

  nlohmann::json description_;
  double scale_rate_;
  std::map<std::string, QuantizedMatrix> matrices_;  ///< by the weight's name
};

/// The quantizer's own model, made once: a run that goes on finds it.
std::filesystem::path grid_of(const QuantizationAwareJob& job, const RunHooks& hooks) {
  QuantizationJob grid = job.grid;
  grid.model = job.distillation.student.value();
  grid.output = job.distillation.work / "grid";
  grid.seed = job.distillation.seed;
  grid.threads = job.distillation.threads;
  if (std::filesystem::exists(grid.output / "config.json")) return grid.output;  // written last
  quantize(grid, hooks);
  return grid.output;
}

/// Scales of smoothed weights do not fit the weights that are to be learnt: smoothing shows in the norms before them.
void expect_not_smoothed(const model::ModelFolder& grid, const model::ModelFolder& student) {
  for (const auto& [name, shape] : model::tensor_shapes(student.config())) {
    if (shape.size() != 1 || model::to_f32(grid.tensor(name)) == model::to_f32(student.tensor(name))) continue;
    throw std::invalid_argument(
        "algorithm: expected a quantizer that leaves the model's weights as they are, found one "
        "that smoothed them (" +
        name +
        " changed): its scales are of other weights than those "
        "that are learnt. Take quantize.rtn, quantize.hqq or quantize.gptq, or a quantizer "
        "without smoothing");
  }
}

ModelSize run(const QuantizationAwareJob& job, const RunHooks& hooks) {
  if (!job.distillation.student)
    throw std::invalid_argument("quantisation-aware training: expected a float model to start from, found none");
  const model::ModelFolder grid(grid_of(job, hooks));
  if (!grid.quantized())
    throw std::invalid_argument(
        "the quantizer stores every matrix in float: nothing is left to be learnt; let it "
        "quantise some");
  expect_not_smoothed(grid, model::ModelFolder(*job.distillation.student));
  QuantizedStudent form(grid, job);
  DistillationJob distillation = job.distillation;
  distillation.form = &form;
  return distill(distillation, hooks);
}

}  // namespace

ModelSize train_quantized(const QuantizationAwareJob& job, const RunHooks& hooks) {
  return with_plain_errors([&] { return run(job, hooks); });
}

}  // namespace retort::train
